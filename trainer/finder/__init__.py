"""The product's own face finder: the pictures it learns from and is measured on, its network, and its figures."""
