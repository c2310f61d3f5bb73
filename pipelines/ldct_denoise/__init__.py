"""Low-dose CT in, denoised CT out."""
