"""What the service asks of the system before it listens."""

import resource

from zuinig.app.server import allow_open_files


def test_the_service_may_open_more_files_than_one_upload_holds():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, soft), hard))
        allow_open_files()
        raised, kept = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert (raised, kept) == (min(hard, 65_536), hard)
        allow_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, kept)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
