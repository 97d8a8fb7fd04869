# SPDX-License-Identifier: Apache-2.0
"""Each way in which Redis can refuse commands: a function that causes it, and returns a function that ends it."""

from typing import Callable

from support import process, resp
from support.redis_server import Redis

End = Callable[[], None]


def _setting(name: str, value: object, normal: object) -> Callable[[Redis, str], End]:
    def begin(redis: Redis, _: str) -> End:
        redis.config(name, value)
        return lambda: redis.config(name, normal)
    return begin


def _rule(rule: list[str], normal: str) -> Callable[[Redis, str], End]:
    def begin(redis: Redis, _: str) -> End:
        redis.db.call("ACL", "SETUSER", "default", *rule)
        return lambda: redis.db.call("ACL", "SETUSER", "default", normal)
    return begin


def _readonly(redis: Redis, _: str) -> End:
    redis.db.call("REPLICAOF", "127.0.0.1", 1)
    return lambda: redis.db.call("REPLICAOF", "NO", "ONE")


def _misconf(redis: Redis, _: str) -> End:
    dump = redis.directory / "dump.rdb"

    def end() -> None:
        dump.rmdir()
        redis.config("save", "")
        redis.db.call("SAVE")

    dump.unlink(missing_ok=True)
    dump.mkdir()  # the snapshot would be written there
    redis.config("save", "3600 1000000")
    redis.db.call("BGSAVE")
    process.wait_for(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", 10, "BGSAVE fails")
    return end


def _masterdown(redis: Redis, _: str) -> End:
    """A replica that has lost its master, and may not serve the data it has."""
    redis.config("replica-serve-stale-data", "no")
    redis.db.call("REPLICAOF", "127.0.0.1", 1)

    def end() -> None:
        redis.db.call("REPLICAOF", "NO", "ONE")
        redis.config("replica-serve-stale-data", "yes")
    return end


def _loading(redis: Redis, _: str) -> End:
    """For a second and a half it loads its data."""
    redis.config("loading-process-events-interval-bytes", 1024)
    redis.config("key-load-delay", 1_500_000 // max(1, redis.db.call("DBSIZE")))
    loading = redis.connect()
    loading.send("DEBUG", "RELOAD")

    def end() -> None:
        loading.read()
        loading.close()
        redis.config("key-load-delay", 0)
    return end


def _tls_only(redis: Redis, row: str) -> End:
    """Hangs up on every client that speaks Redis' protocol without TLS."""
    key, certificate = redis.directory / "tls.key", redis.directory / "tls.crt"
    if not key.exists():
        process.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-subj", "/CN=redis", "-keyout", str(key), "-out", str(certificate)])
    redis.db.call("CONFIG", "SET", "tls-key-file", key, "tls-cert-file", certificate, "tls-ca-cert-file", certificate,
                  "port", 0, "tls-port", 6379)
    redis.kill_clients()

    def end() -> None:
        redis.db.call("CONFIG", "SET", "tls-port", 0, "port", 6379)
    return end


def _noauth(redis: Redis, row: str) -> End:
    end = _setting("requirepass", "a password that portsyncd does not have", "")(redis, row)
    redis.kill_clients()
    return end


def _max_clients(redis: Redis, row: str) -> End:
    end = _setting("maxclients", 1, 100)(redis, row)
    redis.kill_clients()
    return end


def _not_a_hash(redis: Redis, key: str) -> End:
    redis.db.call("SET", key, "not a hash")
    return lambda: redis.db.call("DEL", key)


def _busy(redis: Redis, _: str) -> End:
    script, killer = redis.connect(), redis.connect()

    def busy() -> bool:
        try:
            killer.call("PING")
            return False
        except resp.RedisError as e:
            return str(e).startswith("BUSY")

    def end() -> None:
        killer.call("SCRIPT", "KILL")
        process.wait_for(lambda: not busy(), 10, "the script has ended")
        script.close()
        killer.close()

    script.send("EVAL", "while true do end", 0)
    process.wait_for(busy, 10, "Redis is busy")
    return end


# The argument is the key of the row that the errors of a single row concern.
REFUSALS: dict[str, Callable[[Redis, str], End]] = {
    "oom": _setting("maxmemory", 1, 0),
    "noreplicas": _setting("min-replicas-to-write", 1, 0),
    "readonly": _readonly,
    "misconf": _misconf,
    "noperm": _rule(["-hset", "-hdel"], "+@all"),
    "noperm_key": _rule(["resetkeys", "~PORT_TABLE|Ethernet1*", "~PORT_TABLE"], "allkeys"),
    "noperm_read": _rule(["-@read"], "+@all"),
    "noperm_scan": _rule(["-scan"], "+@all"),
    "noperm_index": _rule(["resetkeys", "~PORT_TABLE|*"], "allkeys"),
    "noauth": _noauth,
    "max_clients": _max_clients,
    "wrongtype": _not_a_hash,
    "wrongtype_index": lambda redis, _: _not_a_hash(redis, "PORT_TABLE"),
    "busy": _busy,
    "masterdown": _masterdown,
    "loading": _loading,
    "tls_only": _tls_only,
}
