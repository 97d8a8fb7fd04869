// SPDX-License-Identifier: Apache-2.0
// The figures that were measured, and how they are shown.
#pragma once

#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace portsync::bench {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

[[nodiscard]] inline double microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}
[[nodiscard]] inline double milliseconds(Clock::duration time) {
  return microseconds(time) / 1000;
}
[[nodiscard]] inline double seconds(Clock::duration time) {
  return microseconds(time) / 1e6;
}

// Returns the value that this share of the sorted values (0.5 = median) does not exceed. Throws if there are no values.
[[nodiscard]] double quantile(std::vector<double> values, double part);
[[nodiscard]] inline double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

struct Figure {
  std::string name;  // "latency mtu, median"
  double value = 0;
  std::string unit;
  std::optional<double> floor;  // what the machine can do, in the same unit and the same run
  std::string goal;             // for people: "<= 1.4 x"
};

// Describes the machine: beside the figures in JSON, and in the first line of the table.
struct Machine {
  std::string kernel;
  unsigned processors = 0;
  std::string redis;
  std::string daemon;
  std::string build;  // "release" or "debug"
  bool pinned = false;
};

class Report {
 public:
  void add(Figure figure);
  void add_failure(std::string measurement, std::string reason);

  [[nodiscard]] bool complete() const noexcept { return failures_.empty(); }
  void print_table(std::ostream& out, const Machine& machine) const;
  void print_json(std::ostream& out, const Machine& machine) const;

 private:
  struct Failure {
    std::string measurement;
    std::string reason;
  };
  std::vector<Figure> figures_;
  std::vector<Failure> failures_;
};

}  // namespace portsync::bench
