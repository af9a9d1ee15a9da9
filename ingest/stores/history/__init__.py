"""What the embedded history is made of: hot rows in DuckDB, sorted Parquet files, and levels of buckets."""
