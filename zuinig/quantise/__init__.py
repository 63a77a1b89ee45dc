"""A large model made small, and how far the small one agrees with it. Nothing here is imported by the request path."""
