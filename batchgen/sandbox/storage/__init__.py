"""The object store beside the API: results out, uploads in."""
