#include "merge/known_sums.hpp"

#include "base/hash.hpp"

namespace fleet {
namespace {

std::uint64_t hash_of(std::span<const double> numbers) {
  return Hash().add(std::string_view(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes())).value();
}

}  // namespace

bool KnownSums::add_up(std::size_t map, std::span<const Part> parts, std::span<double> total, const Comm& comm) {
  std::map<int, std::uint64_t> now;
  for (const Part& part : parts) now.emplace(part.robot, hash_of(part.numbers));
  Sum& sum = latest_[map];
  const bool changed = comm.max(sum.total == nullptr || sum.parts != now ? 1.0 : 0.0) > 0.0;
  if (changed) {
    std::vector<Comm::DoubleTerm> terms;
    for (const Part& part : parts) terms.push_back({part.numbers, 1.0});
    comm.ordered_sum(terms, total);
    sum = {std::move(now), std::make_shared<const std::vector<double>>(total.begin(), total.end()), false};
  }
  std::ranges::copy(*sum.total, total.begin());
  return changed;
}

bool KnownSums::hand_back(std::size_t map) {
  return !std::exchange(latest_[map].handed_back, true);
}

void KnownSums::save(int robot, StateWriter& state) const {
  state.write(static_cast<std::uint64_t>(known_.size()));
  for (const auto& [map, sum] : known_) {
    state.write(static_cast<std::uint64_t>(map));
    if (robot == kWholeFleet) {
      state.write_all(std::span(*sum.total));
      state.write(sum.handed_back);
    } else {
      const auto part = sum.parts.find(robot);
      state.write(part != sum.parts.end());
      state.write(part != sum.parts.end() ? part->second : std::uint64_t{0});
    }
  }
}

void KnownSums::load(int robot, StateReader& state) {
  const auto sums = state.read<std::uint64_t>();
  for (std::uint64_t i = 0; i < sums; ++i) {
    Sum& sum = known_[static_cast<std::size_t>(state.read<std::uint64_t>())];
    if (robot == kWholeFleet) {
      sum.total = std::make_shared<const std::vector<double>>(state.read_all<double>());
      sum.handed_back = state.read<bool>();
    } else {
      const bool had_part = state.read<bool>();
      const auto hash = state.read<std::uint64_t>();
      if (had_part) sum.parts.insert_or_assign(robot, hash);
    }
  }
  latest_ = known_;
}

}  // namespace fleet
