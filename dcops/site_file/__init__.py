"""A site as its engineers describe it: YAML and tables in, a checked ``LoadedSite`` out."""

from dcops.site_file.loaded import LoadedSite
from dcops.site_file.loader import SiteReader, load
from dcops.site_file.outputs import (
    AlertmanagerConfig,
    InfluxStoreConfig,
    InfluxV1StoreConfig,
    NotifierConfig,
    StoreConfig,
    VictoriaStoreConfig,
    WebhookConfig,
)
from dcops.site_file.problems import Problem, SiteProblems
from dcops.site_file.secrets import SecretError, SecretRef
from dcops.site_file.sections import SITE_FILE

__all__ = [
    "SITE_FILE",
    "AlertmanagerConfig",
    "InfluxStoreConfig",
    "InfluxV1StoreConfig",
    "LoadedSite",
    "NotifierConfig",
    "Problem",
    "SecretError",
    "SecretRef",
    "SiteProblems",
    "SiteReader",
    "StoreConfig",
    "VictoriaStoreConfig",
    "WebhookConfig",
    "load",
]
