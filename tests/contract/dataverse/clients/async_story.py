"""A program that tells the emulator a story with the asynchronous half of Microsoft's client, and prints how it went.

A process of its own, because aiohttp reads which authorities to trust (SSL_CERT_FILE) once, when it is imported.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.aio.async_client import AsyncDataverseClient


class StaticCredential:
    """A credential of azure.core's asynchronous kind around a token that is there."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(os.environ["TANDEM_TOKEN"], int(time.time()) + 3000)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> "StaticCredential":
        return self

    async def __aexit__(self, *exception: object) -> None:
        pass


async def records(client: AsyncDataverseClient) -> Any:
    mark = f"async {uuid4()}"
    keys = await client.records.create("account", [{"name": mark, "telephone1": str(i)} for i in range(3)])
    await client.records.update("account", keys, {"fax": "1"})
    await client.records.update("account", keys[0], {"fax": "2"})
    rows = await client.records.list("account", filter=f"name eq '{mark}'", select=["telephone1", "fax"])
    await asyncio.gather(*(client.records.delete("account", key) for key in keys))
    left = await client.records.list("account", filter=f"name eq '{mark}'")
    return sorted([row["telephone1"], row["fax"]] for row in rows), len(list(left))


async def queries(client: AsyncDataverseClient) -> Any:
    pages = [page async for page in client.records.list_pages("contact", select=["fullname"], page_size=10)]
    xml = '<fetch count="5"><entity name="lead"><attribute name="fullname"/></entity></fetch>'
    leads = await client.query.fetchxml(xml).execute()
    [count] = await client.query.sql("SELECT COUNT(*) AS n FROM lead")
    built = await client.query.builder("account").select("name").top(2).execute()
    return len(pages) > 1, len(list(leads)) == count["n"], len(list(built))


async def tables(client: AsyncDataverseClient) -> Any:
    name = f"new_Async{uuid4().hex[:8]}"
    made = await client.tables.create(name, {"new_Count": "int"}, solution="Tandem")
    await client.tables.add_columns(name, {"new_Text": "string"})
    await client.tables.create_alternate_key(name, "new_Key", ["new_text"])
    await client.records.upsert(name, [{"alternate_key": {"new_text": "A"}, "record": {"new_count": 3}}])
    await client.tables.create_lookup_field(name, "new_OwnerAccount", "account")
    found = await client.tables.get_column(name, "new_Text", typed=True)
    rows = await client.records.list(name, select=["new_text", "new_count"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "note.txt"
        path.write_text("hello")
        await client.files.upload(name, next(iter(rows))[f"{name.lower()}id"], "new_File", str(path))
    await client.tables.delete(name)
    gone = await client.tables.get(name)
    return (
        made.entity_set_name == f"{name.lower()}s",
        found["MaxLength"] if found else None,
        [[row["new_text"], row["new_count"]] for row in rows],
        gone,
    )


async def batches(client: AsyncDataverseClient) -> Any:
    batch = client.batch.new()
    batch.records.create("account", {"name": "async batch"})
    batch.records.list("account", filter="name eq 'async batch'", select=["name"])
    async with batch.changeset() as changes:
        changes.records.create("contact", {"lastname": "async"})
    result = await batch.execute()
    return len(result.responses), result.has_errors


async def main() -> None:
    results = {}
    async with AsyncDataverseClient(os.environ["TANDEM_URL"], StaticCredential()) as client:
        for story in (records, queries, tables, batches):
            results[story.__name__] = await story(client)
    print(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(main())
