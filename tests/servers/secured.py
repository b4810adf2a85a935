"""An Elasticsearch with security and its superuser: makes keys with chosen rights, and clients that have them."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from connectors.credentials import Credential, origin_of
from connectors.elastic_logs import ElasticLogs
from connectors.http import Http
from tests.servers.nodes import PASSWORD, Node

LEAST = {"cluster": [], "indices": [{"names": ["shop-*"], "privileges": ["read", "view_index_metadata"]}]}
"""All that the connector needs of a key; `read` alone is tried as well."""


class Secured:
    """The secured node with its superuser: makes keys and indices."""

    def __init__(self, node: Node) -> None:
        self.url, self.authority = node.url, str(node.authority)
        trust = ssl.create_default_context(cafile=self.authority)
        self.client = httpx.Client(
            base_url=node.url, verify=trust, auth=("elastic", PASSWORD), timeout=60, trust_env=False
        )
        self.keys: list[str] = []

    def key(self, roles: Any, **more: Any) -> str:
        """A key of these rights, as it is sent."""
        answer = self.client.post("/_security/api_key", json={"name": "k", "role_descriptors": {"r": roles}, **more})
        answer.raise_for_status()
        self.keys.append(answer.json()["encoded"])
        return self.keys[-1]

    def admin(self) -> Http:
        """A client that may do everything."""
        superuser = Credential(origin_of(self.url), user="elastic", password=PASSWORD)
        return Http(self.url, credential=superuser, authority=self.authority)

    def http(self, key: str | None, *, url: str | None = None, authority: str | None = "") -> Http:
        """A client with this key, that trusts the node's certificate unless told otherwise."""
        credential = Credential(origin_of(url or self.url), api_key=key) if key else None
        trusted = self.authority if authority == "" else authority
        return Http(url or self.url, credential=credential, authority=trusted, deadline_s=20.0)

    def logs(self, key: str | None, index: str = "shop-logs", **more: Any) -> ElasticLogs:
        return ElasticLogs("es", self.http(key, **more), index)
