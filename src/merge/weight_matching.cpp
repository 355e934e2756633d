#include "merge/weight_matching.hpp"

#include <algorithm>
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

double inner_product(std::span<const float> a, std::span<const float> b) {
  using Map = Eigen::Map<const Eigen::VectorXf>;
  const auto size = static_cast<Eigen::Index>(a.size());
  return Map(a.data(), size).cast<double>().dot(Map(b.data(), size).cast<double>());
}

bool improves(double reached, double objective, double least_gain) {
  return reached > objective + least_gain * std::abs(objective);
}

/// Which tensors each group acts on, with the groups within its blocks; one that it acts on twice stands there twice.
class Reach {
 public:
  explicit Reach(const SymmetrySpec& symmetry) : tensors_(symmetry.groups().size()) {
    for (std::size_t g = 0; g < tensors_.size(); ++g) {
      std::vector<std::size_t> groups{g};
      for (int block = 0; block < symmetry.groups()[g].size; ++block) {
        const std::vector<std::size_t> within = symmetry.groups_within(g, block);
        if (within.empty()) break;
        groups.insert(groups.end(), within.begin(), within.end());
      }
      for (const SymmetryAction& action : symmetry.actions()) {
        if (std::ranges::find(groups, action.group) != groups.end()) tensors_[g].push_back(action.tensor);
      }
    }
  }

  [[nodiscard]] bool acts_twice(std::size_t g) const {
    return std::ranges::any_of(tensors_[g], [&](std::size_t t) { return std::ranges::count(tensors_[g], t) > 1; });
  }
  /// The tensors that differ between a model moved by one element and by the other, in their order.
  [[nodiscard]] std::vector<std::size_t> between(const GroupElement& one, const GroupElement& other) const {
    std::vector<std::size_t> changed;
    for (std::size_t g = 0; g < one.size(); ++g) {
      if (one[g] != other[g]) changed.insert(changed.end(), tensors_[g].begin(), tensors_[g].end());
    }
    std::ranges::sort(changed);
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    return changed;
  }
  /// Groups that act on any of these tensors are settled no more.
  void unsettle(std::span<const std::size_t> changed, std::vector<bool>& settled) const {
    for (std::size_t g = 0; g < tensors_.size(); ++g) {
      const auto touched = [&](std::size_t tensor) { return std::ranges::find(changed, tensor) != changed.end(); };
      if (std::ranges::any_of(tensors_[g], touched)) settled[g] = false;
    }
  }

 private:
  std::vector<std::vector<std::size_t>> tensors_;
};

/// One model on its way to a reference, group by group. What a step does not touch is neither copied nor looked at.
class Descent {
 public:
  /// `moved` is brought nearer to the reference; `room` is for as many weights. `settled`, kept up to date: groups that
  /// were found to need no step, and nothing that they depend on has changed. A step must gain `least_gain`.
  Descent(const SymmetrySpec& symmetry, const Reach& reach, const ParamVector& reference, ParamVector& moved,
          ParamVector& room, std::vector<bool>& settled, double least_gain)
      : symmetry_(symmetry),
        reach_(reach),
        reference_(reference),
        moved_(moved),
        tried_(room),
        settled_(settled),
        least_gain_(least_gain),
        products_(symmetry.layout()->tensors().size()) {
    for (std::size_t t = 0; t < products_.size(); ++t) {
      products_[t] = inner_product(moved_.tensor(t), reference.tensor(t));
    }
  }

  /// The step of group `g` that brings the model nearest, as if the objective were linear in it. The identity, if it
  /// does not help.
  GroupElement take_step(std::size_t g) {
    const bool plain = symmetry_.groups_within(g, 0).empty();
    GroupElement step = symmetry_.identity();
    if (plain) {
      step[g] = match_units(symmetry_.groups()[g].kind, symmetry_.unit_products(g, reference_, moved_));
    } else {
      match_blocks(g, step);
    }
    settled_[g] = true;
    const std::vector<std::size_t> changed = reach_.between(step, symmetry_.identity());
    if (changed.empty() || !helps(step, changed)) return symmetry_.identity();
    reach_.unsettle(changed, settled_);
    settled_[g] = plain && !reach_.acts_twice(g);  // the objective is linear in the group then: it stands at its best
    return step;
  }

 private:
  /// Sets, in `step`, group `parent` and the groups within its blocks.
  void match_blocks(std::size_t parent, GroupElement& step) const {
    BlockMatching matching(symmetry_, parent);
    const int blocks = symmetry_.groups()[parent].size;
    for (int shift = 0; shift < blocks; ++shift) {
      Permutation turn(static_cast<std::size_t>(blocks));
      for (int i = 0; i < blocks; ++i) turn[static_cast<std::size_t>(i)] = (i + shift) % blocks;
      ParamVector turned = moved_;
      symmetry_.apply(parent, turn, turned.flat());
      for (int i = 0; i < blocks; ++i) {
        for (const std::size_t g : symmetry_.groups_within(parent, i)) {
          matching.compare(i, turn[static_cast<std::size_t>(i)], symmetry_.unit_products(g, reference_, turned));
        }
      }
    }
    matching.match(step);
  }

  /// Takes the step, which changes these tensors, if the true objective rises.
  bool helps(const GroupElement& step, std::span<const std::size_t> changed) {
    for (const std::size_t t : changed) std::ranges::copy(moved_.tensor(t), tried_.tensor(t).begin());
    symmetry_.apply(step, tried_.flat());
    std::vector<double> products = products_;
    for (const std::size_t t : changed) products[t] = inner_product(tried_.tensor(t), reference_.tensor(t));
    if (!improves(total(products), total(products_), least_gain_)) return false;
    products_ = std::move(products);
    for (const std::size_t t : changed) std::ranges::copy(tried_.tensor(t), moved_.tensor(t).begin());
    return true;
  }
  static double total(std::span<const double> products) {
    return std::accumulate(products.begin(), products.end(), 0.0);
  }

  const SymmetrySpec& symmetry_;
  const Reach& reach_;
  const ParamVector& reference_;
  ParamVector& moved_;
  ParamVector& tried_;  // the tensors of a step
  std::vector<bool>& settled_;
  const double least_gain_;
  std::vector<double> products_;  // by tensor, of moved_ with the reference
};

/// match_weights(), of groups that are not settled. `moved` stands at `start`, and comes to stand at what is returned.
GroupElement descend(const SymmetrySpec& symmetry, const Reach& reach, const ParamVector& reference,
                     const GroupElement& start, RandomStream& order, ParamVector& moved, ParamVector& room,
                     std::vector<bool>& settled, double least_gain) {
  GroupElement best = start;
  Descent descent(symmetry, reach, reference, moved, room, settled, least_gain);
  std::vector<std::size_t> groups(best.size());
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  bool improved = true;
  for (int sweep = 0; improved && sweep < kMaxSweeps; ++sweep) {
    improved = false;
    order.shuffle(std::span(groups));
    for (const std::size_t g : groups) {
      if (settled[g]) continue;
      const GroupElement step = descent.take_step(g);
      if (step == symmetry.identity()) continue;
      best = symmetry.compose(step, best);
      improved = true;
    }
  }
  return best;
}

/// The participants of one merge on their way to each other.
class FleetMatching {
 public:
  FleetMatching(const MergeInput& input, const Comm& comm, const MatchingEnd& end)
      : input_(input),
        comm_(comm),
        end_(end),
        symmetry_(*input.symmetry),
        reach_(symmetry_),
        fleet_order_(input.seed, Purpose::kMatching, 0, static_cast<std::uint64_t>(input.round)),
        sum_(symmetry_.layout()),
        rest_(symmetry_.layout()),
        trial_(symmetry_.layout()),
        room_(symmetry_.layout()) {
    std::vector<double> mine;
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      const MergeRow& row = input.rows[i];
      moved_.push_back(*row.weights);
      elements_.push_back(symmetry_.identity());
      proposals_.push_back(symmetry_.identity());
      settled_.emplace_back(symmetry_.groups().size());
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

  MatchedFleet run() {
    MatchedFleet result;
    AlignmentTrace trace(input_, comm_);
    result.objective.push_back(add_up());
    follow(trace);
    std::vector<int> order = input_.participants;
    while (order.size() > 1 && result.sweeps < end_.max_sweeps) {
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

  /// The sum of all others, in rest_.
  void find_rest(std::size_t row) {
    for (std::size_t w = 0; w < sum_.flat().size(); ++w) rest_.flat()[w] = sum_.flat()[w] - moved_[row].flat()[w];
  }

  void propose() {
    comm_.together([&] {
      for (const auto& [robot, i] : row_of_) {
        if (std::ranges::find(settled_[i], false) == settled_[i].end()) {
          std::vector<int> unmoved(settled_[i].size());
          orders_[i].shuffle(std::span(unmoved));  // whatever is skipped, later orders are the same
          continue;
        }
        find_rest(i);
        std::ranges::copy(moved_[i].flat(), trial_.flat().begin());
        proposals_[i] =
            descend(symmetry_, reach_, rest_, elements_[i], orders_[i], trial_, room_, settled_[i], end_.least_gain);
      }
    });
  }

  /// Whether robot's proposal still helps; then everybody's sum changes.
  bool take_up(int robot) {
    const int owner = owner_.at(robot);
    std::vector<double> changed;  // tensors
    if (comm_.rank() == owner) {
      const std::vector<std::size_t> moved = take_up_own(row_of_.at(robot));
      changed.assign(moved.begin(), moved.end());
    }
    changed = comm_.all_gather(changed);
    if (changed.empty()) return false;
    comm_.broadcast(sum_.flat(), owner);
    const std::vector<std::size_t> tensors(changed.begin(), changed.end());
    for (const auto& [other, i] : row_of_) {
      if (other != robot) reach_.unsettle(tensors, settled_[i]);
    }
    return true;
  }

  /// The tensors that a row's proposal has changed, if it still helps; then it has moved, and the sum with it.
  std::vector<std::size_t> take_up_own(std::size_t i) {
    const std::vector<std::size_t> changed = reach_.between(elements_[i], proposals_[i]);
    if (changed.empty()) return {};
    find_rest(i);
    std::ranges::copy(input_.rows[i].weights->flat(), trial_.flat().begin());
    symmetry_.apply(proposals_[i], trial_.flat());
    const double before = inner_product(moved_[i].flat(), rest_.flat());
    if (!improves(inner_product(trial_.flat(), rest_.flat()), before, end_.least_gain)) {
      proposals_[i] = elements_[i];
      settled_[i].assign(settled_[i].size(), false);
      return {};
    }
    for (std::size_t w = 0; w < sum_.flat().size(); ++w) sum_.flat()[w] = rest_.flat()[w] + trial_.flat()[w];
    std::swap(moved_[i], trial_);
    elements_[i] = proposals_[i];
    return changed;
  }

  /// As of a server that holds all models, which needs each of them once and answers with permutations. Ranks match
  /// them in turn, sending sums around, only to hold no more than their own.
  void charge_matching() const {
    std::uint64_t units = 0;
    for (const SymmetryGroup& group : symmetry_.groups()) units += static_cast<std::uint64_t>(group.size);
    charge(input_, Cargo::kWeights, {.sent = sent_bytes(input_)});
    charge(input_, Cargo::kScalars, {.received = units * sizeof(std::int32_t)});
  }

  const MergeInput& input_;
  const Comm& comm_;
  const MatchingEnd end_;
  const SymmetrySpec& symmetry_;
  Reach reach_;
  RandomStream fleet_order_;
  ParamVector sum_;
  ParamVector rest_;   // of one row, all others
  ParamVector trial_;  // of one row, where its proposal leads
  ParamVector room_;
  std::vector<ParamVector> moved_;  // per row, as are the next four
  std::vector<GroupElement> elements_;
  std::vector<GroupElement> proposals_;
  std::vector<RandomStream> orders_;
  std::vector<std::vector<bool>> settled_;  // by group: the row is at its best beside the others
  std::map<int, std::size_t> row_of_;       // of this rank's participants
  std::map<int, int> owner_;                // rank of every participant
};

}  // namespace

GroupElement match_weights(const SymmetrySpec& symmetry, const ParamVector& weights, const ParamVector& reference,
                           const GroupElement& start, RandomStream& order) {
  std::vector<bool> settled(symmetry.groups().size());
  ParamVector moved = symmetry.apply(start, weights);
  ParamVector room = moved;
  return descend(symmetry, Reach(symmetry), reference, start, order, moved, room, settled, MatchingEnd().least_gain);
}

MatchedFleet match_fleet(const MergeInput& input, const Comm& comm, const MatchingEnd& end) {
  return FleetMatching(input, comm, end).run();
}

}  // namespace fleet
