#include "merge/known_sums.hpp"

#include <algorithm>
#include <utility>

#include "base/hash.hpp"

namespace fleet {
namespace {

std::uint64_t hash_of(std::span<const double> numbers) {
  return Hash().add(std::string_view(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes())).value();
}

class WithKnownSums final : public Merger {
 public:
  explicit WithKnownSums(std::unique_ptr<Merger> method) : method_(std::move(method)) {}

  MergerNeeds needs() const override { return method_->needs(); }
  int private_sums(std::span<const AffineMap> maps) const override { return method_->private_sums(maps); }
  bool renews_norms() const override { return method_->renews_norms(); }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome outcome = method_->merge(knowing(input), comm);
    known_.commit();
    return outcome;
  }
  MergeOutcome propose(const MergeInput& input, const Comm& comm) override {
    return method_->propose(knowing(input), comm);
  }
  void remember(const MergeInput& input, const ParamVector& consensus, const Comm& comm) override {
    method_->remember(knowing(input), consensus, comm);
    known_.commit();
  }

  std::unique_ptr<GradientTerm> local_term(int robot, const ParamVector* consensus) const override {
    return method_->local_term(robot, consensus);
  }
  void save(int robot, StateWriter& state) const override {
    method_->save(robot, state);
    known_.save(robot, state);
  }
  void load(int robot, StateReader& state) override {
    method_->load(robot, state);
    known_.load(robot, state);
  }

 private:
  MergeInput knowing(const MergeInput& input) {
    MergeInput told = input;
    told.known = &known_;
    return told;
  }

  std::unique_ptr<Merger> method_;
  KnownSums known_;
};

}  // namespace

bool KnownSums::add_up(Key key, std::span<const Part> parts, std::span<double> total, const Comm& comm) {
  std::map<int, std::uint64_t> now;
  for (const Part& part : parts) now.emplace(part.robot, hash_of(part.numbers));
  Sum& sum = latest_[key];
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

bool KnownSums::hand_back(Key key) {
  return !std::exchange(latest_[key].handed_back, true);
}

bool KnownSums::has_part(Key key, int robot) const {
  const auto sum = latest_.find(key);
  return sum != latest_.end() && sum->second.parts.contains(robot);
}

void KnownSums::save(int robot, StateWriter& state) const {
  state.write(static_cast<std::uint64_t>(known_.size()));
  for (const auto& [key, sum] : known_) {
    state.write(static_cast<std::uint64_t>(key.map));
    state.write(key.in_double);
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
    Key key{.map = static_cast<std::size_t>(state.read<std::uint64_t>())};
    key.in_double = state.read<bool>();
    Sum& sum = known_[key];
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

std::unique_ptr<Merger> with_known_sums(std::unique_ptr<Merger> method) {
  return std::make_unique<WithKnownSums>(std::move(method));
}

}  // namespace fleet
