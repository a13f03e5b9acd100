"""Sample exports: Azure FOCUS and AWS CUR trees as they are delivered, and their contents.

May import: sample/aws, sample/azure.
"""

from cloudbill.sample.aws.export import write_aws
from cloudbill.sample.aws.forms import AwsForm, read_forms
from cloudbill.sample.azure.export import write_azure
from cloudbill.sample.schedule import WrittenRun

__all__ = ["AwsForm", "WrittenRun", "read_forms", "write_aws", "write_azure"]
