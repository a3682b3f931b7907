"""The wire: message classes and the table of methods, loaded from one compiled descriptor set built from ``proto/``."""
