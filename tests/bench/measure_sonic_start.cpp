// SPDX-License-Identifier: Apache-2.0
// The links exist before orchagent has the ports, as on a DPU, so that the time is portsyncd's and not that of making
// links.
#include <fstream>
#include <string>

#include "measurements.hpp"
#include "orchagent.hpp"

namespace portsync::bench {
namespace {

constexpr int config_db = 4;

std::string write_database_config(const Testbed& bed) {
  const std::string path = bed.file("database_config.json");
  std::ofstream(path) << R"({"INSTANCES": {"redis": {"unix_socket_path": ")" << bed.redis_path() << R"("}},
    "DATABASES": {"APPL_DB": {"id": 0, "separator": ":", "instance": "redis"},
                  "CONFIG_DB": {"id": 4, "separator": "|", "instance": "redis"},
                  "STATE_DB": {"id": 6, "separator": "|", "instance": "redis"}}})";
  return path;
}

void configure(const Testbed& bed) {
  Redis redis(bed.redis_path(), config_db);
  for (std::size_t i = 0; i < bed.ports(); ++i) {
    const std::string index = std::to_string(i);
    redis.append({"HSET", "PORT|" + bed.rows()[i].port, "lanes", index, "alias", "etp" + index, "index", index, "speed",
                  "100000", "mtu", "9100", "admin_status", "up"});
  }
  for (std::size_t i = 0; i < bed.ports(); ++i) redis.answer();
  redis({"HSET", "DEVICE_METADATA|localhost", "switch_type", "dpu"});
  redis({"SET", "CONFIG_DB_INITIALIZED", "1"});
}

}  // namespace

void measure_sonic_start(Bench& bench) {
  const int rounds = bench.quick ? 2 : 7;
  DaemonOptions options = bench.daemon;
  options.sonic_db_config = write_database_config(bench.bed);
  std::vector<double> config_done;
  std::vector<double> rows;
  for (int i = 0; i < rounds; ++i) {
    bench.bed.empty_redis();
    configure(bench.bed);
    RowWatch watch(bench.bed.redis_path(), state_db);
    Orchagent orchagent(bench.bed.redis_path());
    Daemon daemon(options, bench.bed);
    const auto last = watch.wait_equal(bench.bed.rows(), convergence_limit);
    const auto done = orchagent.wait_port_config_done(convergence_limit);
    config_done.push_back(milliseconds(done - daemon.process().started()));
    rows.push_back(milliseconds(last - daemon.process().started()));
  }
  const std::string name = "sonic start, " + at_ports(bench.bed) + ", exec to ";
  bench.report.add({name + "PortConfigDone", median(config_done), "ms", {}, "<= 40"});
  bench.report.add({name + "every row", median(rows), "ms", {}, "<= 50"});
}

}  // namespace portsync::bench
