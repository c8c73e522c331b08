"""Reads every kind of page of an index with the strict parsers mousebender and pypi-simple; prints what they found."""

import json
import sys
import urllib.request

import mousebender.simple
from pypi_simple import ACCEPT_HTML_ONLY, ACCEPT_JSON_ONLY, PyPISimple

base = sys.argv[1]


def fetch(path, accept):
    request = urllib.request.Request(base + path, headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


projects, files = [], []
for accept in (mousebender.simple.ACCEPT_JSON_V1, "application/vnd.pypi.simple.v1+html"):
    body, content_type = fetch("simple/", accept)
    index = mousebender.simple.parse_project_index(body, content_type)
    projects.append(sorted(project["name"] for project in index["projects"]))
    body, content_type = fetch("simple/cheese/", accept)
    details = mousebender.simple.parse_project_details(body, content_type, "cheese")
    files.append(sorted(file["filename"] for file in details["files"]))
    for file in details["files"]:
        assert len(file["hashes"]["sha256"]) == 64, file

for accept in (ACCEPT_JSON_ONLY, ACCEPT_HTML_ONLY):
    with PyPISimple(endpoint=base + "simple/", accept=accept) as client:
        projects.append(sorted(client.get_index_page().projects))
        page = client.get_project_page("cheese")
        files.append(sorted(package.filename for package in page.packages))
        for package in page.packages:
            assert package.project == "cheese" and package.version in ("1.0", "2.0"), package
            assert package.digests.keys() == {"sha256"}, package
            assert package.has_metadata is True, package
            if accept == ACCEPT_JSON_ONLY:
                assert package.size > 0 and package.upload_time is not None, package
        version = page.repository_version
        newest = next(package for package in page.packages if package.filename == "cheese-2.0-py3-none-any.whl")
        metadata = client.get_package_metadata(newest)

line = next(line for line in metadata.splitlines() if line.startswith("Requires-Dist"))
print(json.dumps({"projects": projects, "files": files, "metadata": line, "version": version}))
