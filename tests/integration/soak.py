# SPDX-License-Identifier: Apache-2.0
"""Random link changes with random faults between them, for PORTSYNC_SOAK_MINUTES; PORTSYNC_SOAK_SEED repeats a run."""

import os
import random
import time

from support.case import DUT_INDEX, FAR_INDEX, Case

MINUTES = float(os.environ.get("PORTSYNC_SOAK_MINUTES", "2"))
SEED = int(os.environ.get("PORTSYNC_SOAK_SEED") or random.SystemRandom().randrange(1 << 32))


class Soak(Case):
    ports = 64
    config = {"sync": {"audit_interval_secs": 5}, "database": {"connection_timeout_secs": 1}}
    settle_limit = 30.0

    def test_random_changes_and_faults(self) -> None:
        print(f"PORTSYNC_SOAK_SEED={SEED}", flush=True)
        self.random = random.Random(SEED)
        end = time.monotonic() + 60 * MINUTES
        rounds, reported = 0, time.monotonic()
        descriptors = 0
        while time.monotonic() < end:
            fault = self.random.choice([self.freeze, self.restart_redis, self.stop_redis, self.kill_clients, self.flush,
                                        self.delete_rows, self.kill_daemon, self.nothing, self.nothing])
            load = self.load(self.random.choice(["mixed", "mtu", "alias"]), first=32)
            try:
                self.change_some_links()
                fault()
                self.change_some_links()
            finally:
                self.finish(load)
            try:
                self.wait_equal()
            except AssertionError as e:
                raise AssertionError(f"round {rounds}, fault {fault.__name__}, seed {SEED}: {e}") from e
            self.assertEqual(self.daemon.complaints(), [])
            rounds += 1
            if fault == self.kill_daemon or rounds == 1:
                descriptors = self.daemon.descriptors()
            self.assertLessEqual(self.daemon.descriptors(), descriptors + 1, f"descriptors after {fault.__name__}")
            if time.monotonic() - reported > 30:
                reported = time.monotonic()
                left, rss = (end - reported) / 60, self.daemon.rss_bytes() >> 10
                print(f"{rounds} rounds, {left:.1f} min to go, RSS {rss} kB", flush=True)
        print(f"{rounds} rounds", flush=True)

    # --- what links do: the first half of the ports, for the load generator goes by the index of the others ---

    def change_some_links(self) -> None:
        for _ in range(self.random.randrange(1, 40)):
            number = self.random.randrange(32)
            name = self.port(number)
            link = self.dut.links().get(name)
            if link is None:
                self.dut.ip(f"link add name {name} index {self.free_index()} type veth "
                            f"peer name p{number} index {self.next_far_index()} netns {self.far.path}")
                continue
            self.random.choice([
                lambda: self.dut.ip(f"link set {name} mtu {self.random.randrange(1280, 9200)}"),
                lambda: self.dut.ip(f"link set {name} {self.random.choice(['up', 'down'])}"),
                lambda: self.far.ip(f"link set p{number} {self.random.choice(['up', 'down'])}"),
                lambda: self.dut.ip(f"link del {name}"),
                lambda: self.rename(name),
                lambda: self.swap(name, self.port((number + 1) % 32)),
            ])()

    def free_index(self) -> int:
        """One that is free, and more often than not was in use before."""
        used = {link.ifindex for link in self.dut.links().values()}
        return self.random.choice([i for i in range(DUT_INDEX - 8, DUT_INDEX + 32) if i not in used])

    far_index = FAR_INDEX + 1000

    def next_far_index(self) -> int:
        self.far_index += 1
        return self.far_index

    def rename(self, name: str) -> None:
        """Away and back, with something in between."""
        self.dut.ip(f"link set {name} down", f"link set {name} name away", "link set away mtu 2000",
                    f"link set away name {name}")

    def swap(self, one: str, other: str) -> None:
        if other in self.dut.links():
            self.dut.ip(f"link set {one} down", f"link set {other} down", f"link set {one} name away",
                        f"link set {other} name {one}", f"link set away name {other}")
            a, b = self.far_end(one), self.far_end(other)
            self.far.ip(f"link set {a} down", f"link set {b} down", f"link set {a} name away", f"link set {b} name {a}",
                        f"link set away name {b}", f"link set {a} up", f"link set {b} up")

    @staticmethod
    def far_end(name: str) -> str:
        return f"p{int(name.removeprefix('Ethernet')) // 4}"

    # --- faults ---

    def nothing(self) -> None:
        pass

    def freeze(self) -> None:
        self.daemon.freeze()
        self.finish(self.load("mixed", self.random.choice([100, 5_000, 20_000]), first=32))
        self.daemon.thaw()

    def restart_redis(self) -> None:
        if self.random.random() < 0.5:
            self.redis.db.call("SAVE")
        self.change_some_links()
        self.redis.kill()
        self.redis.start()
        self.plant()

    def stop_redis(self) -> None:
        self.redis.stop_process()
        time.sleep(self.random.random() * 2)  # shorter and longer than the time-out
        self.redis.continue_process()

    def kill_clients(self) -> None:
        self.redis.kill_clients()

    def flush(self) -> None:
        self.redis.db.call("FLUSHDB")
        self.plant()

    def delete_rows(self) -> None:
        for number in range(0, 64, self.random.randrange(1, 9)):
            self.redis.db.call("HDEL", f"PORT_TABLE|{self.port(number)}", "mtu", "state")

    def kill_daemon(self) -> None:
        if self.random.random() < 0.5:
            self.daemon.kill()
        else:
            self.assertEqual(self.daemon.terminate(), 0)
        self.change_some_links()
        self.start()
