// SPDX-License-Identifier: Apache-2.0
// Reads ifindexes from standard input, one a line, and prints the links that have them. The names come from a cache
// that is filled only once (index_cache.hpp). fpmsyncd and neighsyncd look up a link like this for each route and
// neighbour.
//
//   g++ -std=c++17 -O2 index_cache.cpp -o index_cache $(pkg-config --cflags --libs portsync)
//   echo 1 | ./index_cache           # 1 lo, master 0, kind -
//   ./index_cache --bench            # the cost of a lookup and of an update, with 4,096 links
#include "index_cache.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <portsync/netlink/link_source.hpp>
#include <random>
#include <string_view>
#include <vector>

using namespace portsync;

// A source of 4,096 links that reports only what the benchmark makes it report.
class MadeUpSource final : public LinkSource {
 public:
  int fd() const noexcept override { return -1; }  // poll(2) ignores -1: this source never has anything to read
  std::error_code process() override { return {}; }
  std::error_code start(Handler handler) override { return handler_ = std::move(handler), std::error_code{}; }
  std::error_code resync() override { return {}; }
  LinkSourceStatistics statistics() const override { return {}; }

  void report(const LinkState& link) const {
    handler_({LinkEvent::Kind::changed, Cause::notified, &link, nullptr, {}});
  }

 private:
  Handler handler_;
};

// Returns the shortest of ten rounds: the cost when nothing else runs.
template <typename Function>
double nanoseconds_each(std::size_t count, Function round) {
  double best = 1e9;
  for (int i = 0; i < 10; ++i) {
    const auto began = Clock::now();
    round();
    best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - began).count());
  }
  return best / static_cast<double>(count);
}

int bench() {
  auto owned = std::make_unique<MadeUpSource>();
  MadeUpSource& source = *owned;
  IndexCache cache(std::move(owned));
  if (cache.start()) return 1;
  std::vector<LinkState> links(4096);
  for (std::size_t i = 0; i < links.size(); ++i) {
    links[i].ifindex = static_cast<std::int32_t>(100 + i);
    links[i].name = "Ethernet" + std::to_string(4 * i);
    links[i].kind = "veth";
  }
  std::shuffle(links.begin(), links.end(), std::mt19937(1));
  const double update = nanoseconds_each(links.size(), [&] {
    for (LinkState& link : links) {
      link.master ^= 1;
      source.report(link);
    }
  });
  std::size_t sum = 0;
  const double lookup = nanoseconds_each(links.size(), [&] {
    for (const LinkState& link : links) sum += cache.find(link.ifindex)->name.size();
  });
  if (cache.size() != links.size() || sum == 0) return 1;
  std::printf("lookup %.1f ns, update %.1f ns, with %zu links\n", lookup, update, cache.size());
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--bench") return bench();
  std::setvbuf(stdin, nullptr, _IONBF, 0);  // poll(2) does not see what stdio has read ahead
  IndexCache cache(netlink::make_link_source());
  std::error_code error = cache.start();
  while (!error) {
    pollfd waiting[] = {{cache.fd(), POLLIN, 0}, {cache.complete() ? 0 : -1, POLLIN, 0}};
    ::poll(waiting, 2, -1);
    error = cache.process();
    std::int32_t ifindex = 0;
    if (waiting[1].revents == 0) continue;
    if (!(std::cin >> ifindex)) return 0;
    const IndexCache::Link* link = cache.find(ifindex);
    if (link == nullptr) {
      std::cout << ifindex << " is no link" << std::endl;
    } else {
      std::cout << ifindex << ' ' << link->name << ", master " << link->master << ", kind "
                << (link->kind.empty() ? "-" : link->kind) << std::endl;
    }
  }
  std::cerr << "index_cache: " << error.message() << '\n';
  return 1;
}
