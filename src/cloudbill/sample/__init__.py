"""Sample exports: Azure FOCUS and AWS CUR trees as they are delivered, and what they hold."""

from cloudbill.sample._aws import write_aws
from cloudbill.sample._azure import write_azure
from cloudbill.sample._schedule import WrittenRun

__all__ = ["WrittenRun", "write_aws", "write_azure"]
