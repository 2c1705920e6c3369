"""What a guest reported, nothing judged yet."""
