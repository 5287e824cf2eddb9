"""Commands about what people judge."""
