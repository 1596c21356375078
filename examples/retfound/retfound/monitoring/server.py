# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The server and the page: `python -m retfound.monitoring.server [OPTION ...]`.

Becomes trainmon's server program, which reads MONITORING_HOST, MONITORING_PORT, MONITORING_DB_PATH, MONITORING_CACHE_SIZE, MONITORING_DEBUG,
WS_UPDATE_FREQUENCY and WS_MAX_CONNECTIONS. Options are those of `trainmon serve`; --help lists them.
"""

import os
import sys

from retfound.monitoring import store_path
from trainmon.server import serve


def main(arguments):
    """Serves until Ctrl-C; does not come back. The store of the environment is taken unless the arguments name one."""
    os.environ.setdefault("MONITORING_DB_PATH", store_path())
    try:
        return serve(arguments)
    except FileNotFoundError as error:
        print(f"server: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
