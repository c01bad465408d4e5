"""Packaging of datahub-aws-lineage. The version stands in `datahub_aws_lineage/version.py` alone."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION: dict[str, str] = {}
exec((HERE / "datahub_aws_lineage" / "version.py").read_text(encoding="utf-8"), VERSION)

setup(
    name="datahub-aws-lineage",
    version=VERSION["__version__"],
    description="DataHub ingestion source: column-level lineage of AWS Glue, Athena and Redshift",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=["datahub_aws_lineage", "datahub_aws_lineage.*"]),
    package_data={"datahub_aws_lineage": ["py.typed"]},
    install_requires=[
        # The `sql-parser` extra carries DataHub's own pin of sqlglot, which this package follows.
        "acryl-datahub[datahub-rest,sql-parser]>=1.7.0.8",
        "boto3>=1.34",
        "expandvars>=0.6.5",  # with which DataHub fills variables into recipes
        "pydantic>=2",
        "sqlparse>=0.5,<1",  # DataHub's usage aspects import it, which only the extras of its SQL sources bring
    ],
    extras_require={
        "dev": [
            "acryl-datahub[glue]",  # DataHub's own source, which ours is compared with
            "boto3-stubs[athena,glue,redshift,redshift-data,redshift-serverless,s3,sts]",
            "cid-cmd>=4.4",
            "deepdiff>=8.6,<9",  # what DataHub's golden-file helpers compare with
            "duckdb>=1.1",
            "freezegun",
            "hypothesis",
            "jsonpatch",
            "moto[athena,glue,s3,server,sts]>=5",
            "mypy>=1.11",
            "pytest>=8",
            "pytest-cov",
            "ruff",
            "types-PyYAML",
        ],
        # DataHub's further sources of AWS. Not [iceberg]: its s3fs holds boto3 back, and SQLite's catalog needs none.
        "natives": ["acryl-datahub[athena,redshift,s3-slim]", "pyiceberg[sql-sqlite]>=0.11,<0.12", "sortedcontainers"],
        "oracles": ["pyspark>=3.5"],
    },
    entry_points={
        "datahub.ingestion.source.plugins": ["aws-lineage = datahub_aws_lineage.source:AwsLineageSource"],
        "console_scripts": ["datahub-aws-lineage = datahub_aws_lineage.cli:main"],
    },
)
