"""What a recording keeps: read operations that lineage is made from, and of their answers those that say something.

A fixed list, so that no write and no call that hands out credentials is ever recorded.
"""

from __future__ import annotations

READS: dict[str, frozenset[str]] = {
    "athena": frozenset(
        {"BatchGetNamedQuery", "BatchGetPreparedStatement", "BatchGetQueryExecution", "GetDataCatalog", "GetDatabase"}
        | {"GetNamedQuery", "GetPreparedStatement", "GetQueryExecution", "GetQueryResults", "GetTableMetadata"}
        | {"GetWorkGroup", "ListDataCatalogs", "ListDatabases", "ListNamedQueries", "ListPreparedStatements"}
        | {"ListQueryExecutions", "ListTableMetadata", "ListWorkGroups"}
        | {"StartQueryExecution"}  # how history tables are read
    ),
    "cloudtrail": frozenset({"DescribeTrails", "LookupEvents"}),
    "datazone": frozenset({"GetLineageEvent", "GetLineageNode", "ListLineageEvents", "ListLineageNodeHistory"}),
    "glue": frozenset(
        {"BatchGetJobs", "GetCatalog", "GetCatalogs", "GetConnection", "GetConnections", "GetCrawler", "GetCrawlers"}
        | {"GetDatabase", "GetDatabases", "GetDataflowGraph", "GetJob", "GetJobRun", "GetJobRuns", "GetJobs"}
        | {"GetPartitions", "GetTable", "GetTableVersions", "GetTables", "GetTags", "GetTrigger", "GetTriggers"}
        | {"GetWorkflow", "ListCrawlers", "ListJobs", "ListTriggers", "ListWorkflows"}
    ),
    "lakeformation": frozenset({"GetLFTag", "GetResourceLFTags", "ListLFTags", "ListPermissions", "ListResources"}),
    "logs": frozenset({"DescribeLogGroups", "DescribeLogStreams", "FilterLogEvents", "GetLogEvents"}),
    "organizations": frozenset({"DescribeOrganization", "ListAccounts"}),
    "redshift": frozenset(
        {"DescribeClusters", "DescribeDataShares", "DescribeDataSharesForConsumer", "DescribeDataSharesForProducer"}
        | {"DescribeLoggingStatus"}
    ),
    "redshift-data": frozenset(
        {"DescribeStatement", "DescribeTable", "GetStatementResult", "GetStatementResultV2", "ListDatabases"}
        | {"ListSchemas", "ListStatements", "ListTables"}
        | {"ExecuteStatement"}  # how system views are read
    ),
    "redshift-serverless": frozenset({"GetNamespace", "GetWorkgroup", "ListNamespaces", "ListWorkgroups"}),
    "s3": frozenset({"GetBucketLocation", "GetObject", "HeadBucket", "HeadObject", "ListBuckets", "ListObjectsV2"}),
    "s3tables": frozenset(
        {"GetNamespace", "GetTable", "GetTableBucket", "ListNamespaces", "ListTableBuckets", "ListTables"}
    ),
    "sts": frozenset({"GetCallerIdentity"}),
}
"""Operations that are recorded, by boto3's service name."""

_FAULTS_OF_THE_RUN = frozenset(
    {"BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete"}
    | {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled"}
    | {"RequestThrottledException", "RequestTimeout", "RequestTimeoutException", "SlowDown", "ThrottledException"}
    | {"Throttling", "ThrottlingException", "TooManyRequestsException", "TransactionInProgressException"}
    | {"AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId"}
    | {"InvalidClientTokenId", "InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken"}
    | {"MissingAuthenticationTokenException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
    | {"TokenRefreshRequired", "UnrecognizedClientException"}
)
"""Error codes that speak of rates and of the caller's credentials, not of the account."""

_HEADERS = frozenset({"content-type", "x-amz-bucket-region", "x-amzn-errortype", "x-amzn-query-error"})
"""Headers that botocore reads beside those that the service model names."""


def is_read(service: str, operation: str) -> bool:
    return operation in READS.get(service, frozenset())


def says_something(status: int, error_code: str | None) -> bool:
    """Whether an answer is a fact of the account: a result, or a refusal that would come again."""
    return 200 <= status < 300 or (400 <= status < 500 and error_code not in _FAULTS_OF_THE_RUN)


def is_kept_header(name: str, modelled: frozenset[str]) -> bool:
    """`name` and `modelled` in lower case; a modelled name that ends in `-` is a prefix (`x-amz-meta-`)."""
    return name in _HEADERS or name in modelled or any(name.startswith(m) for m in modelled if m.endswith("-"))
