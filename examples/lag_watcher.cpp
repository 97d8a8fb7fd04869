// SPDX-License-Identifier: Apache-2.0
// Follows LAGs and their members, as SONiC's teamsyncd does. Prints one line for each LAG whose state or members have
// changed, such as "PortChannel1 up: Ethernet0 up, Ethernet4 down" or "PortChannel1 removed".
//
//   g++ -std=c++17 lag_watcher.cpp -o lag_watcher $(pkg-config --cflags --libs portsync)
//   ./lag_watcher team bond
//
// The arguments are the link kinds (IFLA_INFO_KIND) that count as LAGs. The default is team and bond.
#include <cstdio>
#include <map>
#include <portsync/netlink/link_source.hpp>
#include <set>
#include <string>
#include <utility>

#include "run.hpp"

using namespace portsync;

class LagWatcher {
 public:
  explicit LagWatcher(std::set<std::string> kinds) : kinds_(std::move(kinds)) {}

  void on_event(const LinkEvent& event) {
    switch (event.kind) {
      case LinkEvent::Kind::changed:
        if (event.before != nullptr) leave(*event.before);
        links_[event.link->ifindex] = *event.link;
        members_[event.link->master].insert(event.link->ifindex);
        touched_.insert({event.link->master, event.link->ifindex});
        break;
      case LinkEvent::Kind::removed:
        leave(*event.link);
        links_.erase(event.link->ifindex);
        touched_.insert(event.link->ifindex);
        break;
      case LinkEvent::Kind::drained:
        // Print only now: the source may report a port before its LAG, and many changes may make one line.
        for (const std::int32_t ifindex : std::exchange(touched_, {})) show(ifindex);
        break;
      default:
        break;
    }
  }

 private:
  void leave(const LinkState& link) {
    const auto found = members_.find(link.master);
    if (found == members_.end()) return;
    found->second.erase(link.ifindex);
    if (found->second.empty()) members_.erase(found);
    touched_.insert(link.master);
  }

  // Prints the LAG with this ifindex if it is or was one and its line has changed.
  void show(std::int32_t ifindex) {
    const auto link = links_.find(ifindex);
    const bool is_lag = link != links_.end() && kinds_.count(link->second.kind) != 0;
    const auto shown = shown_.find(ifindex);
    if (shown != shown_.end() && (!is_lag || shown->second.name != link->second.name)) {
      std::printf("%s removed\n", shown->second.name.c_str());
      shown_.erase(shown);
    }
    if (is_lag) {
      std::string line = link->second.name + state(link->second) + ':';
      for (const std::int32_t member : members_[ifindex]) {
        line += (line.back() == ':' ? " " : ", ") + links_[member].name + state(links_[member]);
      }
      Shown& last = shown_[ifindex];
      if (last.line != line) std::printf("%s\n", line.c_str());
      last = {link->second.name, line};
    }
    std::fflush(stdout);
  }
  static const char* state(const LinkState& link) { return link.running() ? " up" : " down"; }

  struct Shown {
    std::string name, line;
  };
  const std::set<std::string> kinds_;
  std::map<std::int32_t, LinkState> links_;
  std::map<std::int32_t, std::set<std::int32_t>> members_;  // of each master
  std::set<std::int32_t> touched_;                          // since the last `drained`
  std::map<std::int32_t, Shown> shown_;
};

int main(int argc, char** argv) {
  LagWatcher watcher(argc > 1 ? std::set<std::string>(argv + 1, argv + argc) : std::set<std::string>{"team", "bond"});
  const auto source = netlink::make_link_source();
  return run(*source, source->start([&](const LinkEvent& event) { watcher.on_event(event); }));
}
