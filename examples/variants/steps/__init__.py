"""The steps of the pipeline: plain functions from files to files, the same for Snakemake and for Prefect."""
