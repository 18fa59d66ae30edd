"""For tests/hub/hub_cache_test.cpp: finds in the cache what Alambic has fetched (org/small, in the folder
given), without a request, and fetches org/sharded by huggingface_hub for Alambic to find.
"""
import os
import sys

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache

ours = sys.argv[1]
assert snapshot_download("org/small", local_files_only=True) == ours
for name in ("config.json", "model.safetensors"):
    found = try_to_load_from_cache("org/small", name)
    assert found == os.path.join(ours, name), found
    assert hf_hub_download("org/small", name, local_files_only=True) == found
    before = os.stat(found).st_ino
    assert os.stat(hf_hub_download("org/small", name)).st_ino == before  # asked for, not fetched again
info = scan_cache_dir()
assert not info.warnings, info.warnings
repo, = [repo for repo in info.repos if repo.repo_id == "org/small"]
revision, = repo.revisions
assert revision.refs == {"main"} and revision.nb_files == 3, revision

for name in ("config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
             "model-00002-of-00002.safetensors"):
    hf_hub_download("org/sharded", name)
