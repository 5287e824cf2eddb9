"""Text: normal forms, names taken apart, legal forms, and what single words mean and weigh."""
