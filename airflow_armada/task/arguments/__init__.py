"""The arguments of the operators: declared, checked, made plain."""
