"""The fair comparison: one table of contenders, equal budgets, honest statistics, one report."""
