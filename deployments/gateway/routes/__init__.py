"""The routes: one module for each family of resources."""
