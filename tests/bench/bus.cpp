// SPDX-License-Identifier: Apache-2.0
#include "bus.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace portsync::bench {

using namespace std::chrono_literals;

Bus::Bus(const Testbed& bed) : path_(bed.file("bus")), process_(0) {
  const std::string config = bed.file("bus.conf");
  std::ofstream(config) << "<busconfig><listen>" << address()
                        << "</listen><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
                           "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>\n";
  process_.exec({"/usr/bin/dbus-daemon", "--config-file=" + config, "--nofork"}, {}, bed.file("bus.log"));
  for (int i = 0; i < 500 && ::access(path_.c_str(), F_OK) != 0; ++i) {
    if (process_.ended()) throw std::runtime_error("dbus-daemon has ended: " + read_file(bed.file("bus.log")));
    std::this_thread::sleep_for(10ms);
  }
  if (::access(path_.c_str(), F_OK) != 0) throw std::runtime_error("dbus-daemon does not listen at " + path_);
}

}  // namespace portsync::bench
