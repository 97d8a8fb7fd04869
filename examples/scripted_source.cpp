// SPDX-License-Identifier: Apache-2.0
// Records the link events of this machine and replays them anywhere, with the LinkSource of scripted_source.hpp.
//
//   g++ -std=c++17 scripted_source.cpp -o scripted_source $(pkg-config --cflags --libs portsync)
//   ./scripted_source record TRACE        # until a signal ends it
//   ./scripted_source replay TRACE 10     # prints what link_monitor would print, ten times as fast; 0 = at once
#include "scripted_source.hpp"

#include <fstream>
#include <portsync/netlink/link_source.hpp>
#include <string_view>

#include "print_change.hpp"
#include "run.hpp"

using namespace portsync;

int record(const char* path) {
  std::ofstream file(path);
  const auto source = netlink::make_link_source();
  const TimePoint began = Clock::now();
  return run(*source, source->start([&](const LinkEvent& event) {
    trace::Step step;
    step.at = std::chrono::duration_cast<std::chrono::microseconds>(event.received - began);
    step.kind = event.kind;
    step.cause = event.cause;
    if (event.link != nullptr) step.link = *event.link;
    file << trace::to_line(step) << '\n';
    if (event.kind == LinkEvent::Kind::drained && !file.flush()) throw std::runtime_error("the trace is not written");
  }));
}

int replay(const char* path, double speed) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("the trace cannot be read");
  ScriptedSource source(trace::read(file), speed);
  std::error_code error = source.start(print_change);
  while (!error && !source.done()) {
    pollfd waiting{source.fd(), POLLIN, 0};
    ::poll(&waiting, 1, -1);
    error = source.process();
  }
  return error ? 1 : 0;
}

int main(int argc, char** argv) try {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "record" && argc == 3) return record(argv[2]);
  if (what == "replay" && (argc == 3 || argc == 4)) return replay(argv[2], argc == 4 ? std::stod(argv[3]) : 1);
  std::fprintf(stderr, "usage: scripted_source record TRACE | replay TRACE [SPEED]\n");
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "scripted_source: %s\n", error.what());
  return 1;
}
