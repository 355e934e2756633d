#include "merge/weight_matching.hpp"

#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "merge/alignment_trace.hpp"
#include "merge/block_matching.hpp"
#include "merge/consensus.hpp"
#include "merge/linear_assignment.hpp"

namespace fleet {
namespace {

constexpr double kSignificant = 1e-7;  // rounding must not count as a gain

double inner_product(std::span<const float> a, std::span<const float> b) {
  using Map = Eigen::Map<const Eigen::VectorXf>;
  const auto size = static_cast<Eigen::Index>(a.size());
  return Map(a.data(), size).cast<double>().dot(Map(b.data(), size).cast<double>());
}

bool improves(double reached, double objective) {
  return reached > objective + kSignificant * std::abs(objective);
}

/// Sets, in `step`, group `parent` and the groups within its blocks.
void match_blocks(const SymmetrySpec& symmetry, std::size_t parent, const ParamVector& reference,
                  const ParamVector& moved, GroupElement& step) {
  BlockMatching matching(symmetry, parent);
  const int blocks = symmetry.groups()[parent].size;
  for (int shift = 0; shift < blocks; ++shift) {
    Permutation turn(static_cast<std::size_t>(blocks));
    for (int i = 0; i < blocks; ++i) turn[static_cast<std::size_t>(i)] = (i + shift) % blocks;
    ParamVector turned = moved;
    symmetry.apply(parent, turn, turned.flat());
    for (int i = 0; i < blocks; ++i) {
      for (const std::size_t g : symmetry.groups_within(parent, i)) {
        matching.compare(i, turn[static_cast<std::size_t>(i)], symmetry.unit_products(g, reference, turned));
      }
    }
  }
  matching.match(step);
}

/// The participants of one merge on their way to each other.
class FleetMatching {
 public:
  FleetMatching(const MergeInput& input, const Comm& comm)
      : input_(input),
        comm_(comm),
        symmetry_(*input.symmetry),
        fleet_order_(input.seed, Purpose::kMatching, 0, static_cast<std::uint64_t>(input.round)),
        sum_(symmetry_.layout()) {
    std::vector<double> mine;
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      const MergeRow& row = input.rows[i];
      moved_.push_back(*row.weights);
      elements_.push_back(symmetry_.identity());
      proposals_.push_back(symmetry_.identity());
      orders_.emplace_back(input.seed, Purpose::kMatching, static_cast<std::uint64_t>(row.robot) + 1,
                           static_cast<std::uint64_t>(input.round));
      if (!row.participates) continue;
      row_of_[row.robot] = i;
      mine.push_back(row.robot);
      mine.push_back(comm.rank());
    }
    const std::vector<double> all = comm.all_gather(mine);
    for (std::size_t i = 0; i < all.size(); i += 2) owner_[static_cast<int>(all[i])] = static_cast<int>(all[i + 1]);
  }

  MatchedFleet run(int max_sweeps) {
    MatchedFleet result;
    AlignmentTrace trace(input_, comm_);
    result.objective.push_back(add_up());
    follow(trace);
    std::vector<int> order = input_.participants;
    while (order.size() > 1 && result.sweeps < max_sweeps) {
      fleet_order_.shuffle(std::span(order));
      propose();
      bool moved = false;
      for (const int robot : order) moved = take_up(robot) || moved;
      ++result.sweeps;
      if (!moved) break;
      result.objective.push_back(add_up());
      follow(trace);
    }
    charge_matching();
    result.elements = std::move(elements_);
    result.series = trace.take();
    return result;
  }

 private:
  /// The sum of the participants, and their mean squared distance from its mean.
  double add_up() {
    std::vector<Comm::Term> terms;
    std::vector<double> squares;
    for (const auto& [robot, i] : row_of_) {
      terms.push_back({moved_[i].flat(), 1.0});
      squares.push_back(inner_product(moved_[i].flat(), moved_[i].flat()));
    }
    comm_.ordered_sum(terms, sum_.flat());
    squares = comm_.all_gather(squares);
    const auto count = static_cast<double>(squares.size());
    const double total = std::accumulate(squares.begin(), squares.end(), 0.0);
    return (total - inner_product(sum_.flat(), sum_.flat()) / count) / count;
  }

  void follow(AlignmentTrace& trace) const {
    if (!trace.wanted()) return;
    ParamVector mean = sum_;
    for (float& w : mean.flat()) w /= static_cast<float>(input_.participants.size());
    trace.record(mean, elements_);
  }

  /// The sum of all others.
  ParamVector others(std::size_t row) const {
    ParamVector rest = sum_;
    for (std::size_t w = 0; w < rest.flat().size(); ++w) rest.flat()[w] -= moved_[row].flat()[w];
    return rest;
  }

  void propose() {
    comm_.together([&] {
      for (const auto& [robot, i] : row_of_) {
        proposals_[i] = match_weights(symmetry_, *input_.rows[i].weights, others(i), elements_[i], orders_[i]);
      }
    });
  }

  /// Whether robot's proposal still helps; then everybody's sum changes.
  bool take_up(int robot) {
    const int owner = owner_.at(robot);
    std::vector<double> verdict;
    if (comm_.rank() == owner) {
      const std::size_t i = row_of_.at(robot);
      const ParamVector rest = others(i);
      ParamVector moved = symmetry_.apply(proposals_[i], *input_.rows[i].weights);
      const bool better =
          improves(inner_product(moved.flat(), rest.flat()), inner_product(moved_[i].flat(), rest.flat()));
      verdict.push_back(better ? 1.0 : 0.0);
      if (better) {
        for (std::size_t w = 0; w < rest.flat().size(); ++w) sum_.flat()[w] = rest.flat()[w] + moved.flat()[w];
        moved_[i] = std::move(moved);
        elements_[i] = proposals_[i];
      }
    }
    const bool taken = comm_.all_gather(verdict).front() > 0.0;
    if (taken) comm_.broadcast(sum_.flat(), owner);
    return taken;
  }

  /// As of a server that holds all models, which needs each of them once and answers with permutations. Ranks match
  /// them in turn, sending sums around, only to hold no more than their own.
  void charge_matching() const {
    std::uint64_t units = 0;
    for (const SymmetryGroup& group : symmetry_.groups()) units += static_cast<std::uint64_t>(group.size);
    charge(input_, Cargo::kWeights, {.sent = model_bytes(input_)});
    charge(input_, Cargo::kScalars, {.received = units * sizeof(std::int32_t)});
  }

  const MergeInput& input_;
  const Comm& comm_;
  const SymmetrySpec& symmetry_;
  RandomStream fleet_order_;
  ParamVector sum_;
  std::vector<ParamVector> moved_;  // per row, as are the next three
  std::vector<GroupElement> elements_;
  std::vector<GroupElement> proposals_;
  std::vector<RandomStream> orders_;
  std::map<int, std::size_t> row_of_;  // of this rank's participants
  std::map<int, int> owner_;           // rank of every participant
};

}  // namespace

GroupElement match_weights(const SymmetrySpec& symmetry, const ParamVector& weights, const ParamVector& reference,
                           const GroupElement& start, RandomStream& order) {
  const GroupElement identity = symmetry.identity();
  GroupElement best = start;
  ParamVector moved = symmetry.apply(start, weights);
  double objective = inner_product(moved.flat(), reference.flat());
  std::vector<std::size_t> groups(best.size());
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  bool improved = true;
  for (int sweep = 0; improved && sweep < kMaxSweeps; ++sweep) {
    improved = false;
    order.shuffle(std::span(groups));
    for (const std::size_t g : groups) {
      GroupElement step = identity;
      if (symmetry.groups_within(g, 0).empty()) {
        step[g] = match_units(symmetry.groups()[g].kind, symmetry.unit_products(g, reference, moved));
      } else {
        match_blocks(symmetry, g, reference, moved, step);
      }
      if (step == identity) continue;
      ParamVector tried = symmetry.apply(step, moved);
      const double reached = inner_product(tried.flat(), reference.flat());
      if (!improves(reached, objective)) continue;
      objective = reached;
      moved = std::move(tried);
      best = symmetry.compose(step, best);
      improved = true;
    }
  }
  return best;
}

MatchedFleet match_fleet(const MergeInput& input, const Comm& comm, int max_sweeps) {
  return FleetMatching(input, comm).run(max_sweeps);
}

}  // namespace fleet
