"""Readers of AWS: they call the APIs and yield values of `model`. boto3 and botocore stay inside."""
