"""What the services of an account would answer, made from the readable company beside it."""
