"""Where feature values come from: Parquet files, Delta and Iceberg tables, on local disks and S3, without a download.

One file a kind, all behind :mod:`lineage.sources.interface`.
"""
