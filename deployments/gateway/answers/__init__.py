"""The answers: values of the catalog as documents of the wire."""
