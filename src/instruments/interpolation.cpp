#include "instruments/interpolation.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "merge/weight_matching.hpp"

namespace fleet {
namespace {

constexpr std::array<std::string_view, 3> kAlignmentNames = {"none", "git-rebasin", "method"};

/// All pairs under one alignment. The first model of a pair is sent to everybody; whoever holds the second aligns it
/// and sends it too; then all judge the points between them together.
class Pairs {
 public:
  Pairs(const MergeInput& robots, PairAlignment alignment, std::span<const GroupElement> elements, int points,
        const Judge& judge, const Comm& comm)
      : robots_(robots), alignment_(alignment), elements_(elements), points_(points), judge_(judge), comm_(comm) {
    std::vector<double> mine;
    for (std::size_t i = 0; i < robots.rows.size(); ++i) {
      if (!robots.rows[i].participates) continue;
      row_of_[robots.rows[i].robot] = i;
      mine.push_back(robots.rows[i].robot);
      mine.push_back(comm.rank());
    }
    const std::vector<double> all = comm.all_gather(mine);
    for (std::size_t i = 0; i < all.size(); i += 2) owner_[static_cast<int>(all[i])] = static_cast<int>(all[i + 1]);
  }

  void measure(std::vector<Measurement>& measured) {
    for (auto first = owner_.begin(); first != owner_.end(); ++first) {
      const ParamVector from = shared(first->first, [&](std::size_t row) { return moved(row); });
      align_to(from, first->first);
      for (auto second = std::next(first); second != owner_.end(); ++second) {
        const ParamVector to = shared(second->first, [&](std::size_t row) { return std::move(aligned_.at(row)); });
        note(first->first, second->first, interpolate(from, to, points_, std::cref(judge_)), measured);
      }
    }
  }

 private:
  /// The weights of a row in the basis in which pairs are compared.
  ParamVector moved(std::size_t row) const {
    const ParamVector& weights = *robots_.rows[row].weights;
    return alignment_ == PairAlignment::kMethod ? robots_.symmetry->apply(elements_[row], weights) : weights;
  }

  /// This rank's participants after `first`, each aligned to it: the costly part, all ranks at once.
  void align_to(const ParamVector& from, int first) {
    aligned_.clear();
    comm_.together([&] {
      for (auto next = row_of_.upper_bound(first); next != row_of_.end(); ++next) {
        const auto& [robot, row] = *next;
        ParamVector weights = moved(row);
        if (alignment_ == PairAlignment::kGitRebasin) {
          RandomStream order(robots_.seed, Purpose::kMatching, static_cast<std::uint64_t>(robot) + 1,
                             static_cast<std::uint64_t>(first) + 1);
          const SymmetrySpec& symmetry = *robots_.symmetry;
          weights = symmetry.apply(match_weights(symmetry, weights, from, symmetry.identity(), order), weights);
        }
        aligned_.emplace(row, std::move(weights));
      }
    });
  }

  /// What the rank of `robot` has made of it, on every rank.
  template <class Make>
  ParamVector shared(int robot, Make make) const {
    const int owner = owner_.at(robot);
    ParamVector weights = comm_.rank() == owner ? make(row_of_.at(robot)) : ParamVector(robots_.symmetry->layout());
    comm_.broadcast(weights.flat(), owner);
    return weights;
  }

  void note(int robot, int other, const Curve& curve, std::vector<Measurement>& measured) const {
    Measurement row{.subject = std::string(name_of(alignment_)), .robot = robot, .other = other};
    for (std::size_t m = 0; m < curve.values.size(); ++m) {
      const JudgedMetric& metric = curve.metrics[m];
      row.split = metric.split;
      row.metric = metric.name;
      row.instrument = "interpolation";
      for (std::size_t p = 0; p < curve.values[m].size(); ++p) {
        row.at = curve.lambda(p);
        row.value = curve.values[m][p];
        measured.push_back(row);
      }
      row.at = Measurement{}.at;
      row.instrument = "barrier";
      row.value = barrier(curve.values[m], metric.higher_is_better());
      measured.push_back(row);
      row.instrument = "barrier above line";
      row.value = barrier_above_line(curve.values[m], metric.higher_is_better());
      measured.push_back(row);
    }
  }

  const MergeInput& robots_;
  PairAlignment alignment_;
  std::span<const GroupElement> elements_;
  int points_;
  const Judge& judge_;
  const Comm& comm_;
  std::map<int, int> owner_;                    // participant -> rank
  std::map<int, std::size_t> row_of_;           // of this rank's participants
  std::map<std::size_t, ParamVector> aligned_;  // row -> weights, for the present first model
};

}  // namespace

std::string_view name_of(PairAlignment alignment) {
  return kAlignmentNames[static_cast<std::size_t>(alignment)];
}

Curve interpolate(const ParamVector& from, const ParamVector& to, int points,
                  const std::function<std::vector<JudgedValue>(const ParamVector&)>& judge) {
  require(points >= 2, "a curve between two models needs at least its two ends, not ", points, " points");
  Curve curve;
  ParamVector between(from.shared_layout());
  for (int p = 0; p < points; ++p) {
    // Weights of whole numbers, so that the curve from the other end passes through the same points.
    const auto share = static_cast<float>(p) / static_cast<float>(points - 1);
    const auto rest = static_cast<float>(points - 1 - p) / static_cast<float>(points - 1);
    for (std::size_t w = 0; w < between.flat().size(); ++w) {
      between.flat()[w] = rest * from.flat()[w] + share * to.flat()[w];
    }
    const std::vector<JudgedValue> values = judge(between);
    curve.values.resize(values.size());
    for (std::size_t m = 0; m < values.size(); ++m) {
      if (p == 0) curve.metrics.push_back(values[m].metric);
      curve.values[m].push_back(values[m].value);
    }
  }
  return curve;
}

double barrier(std::span<const double> curve, bool higher_is_better) {
  const double ends = 0.5 * (curve.front() + curve.back());
  return higher_is_better ? ends - *std::min_element(curve.begin(), curve.end())
                          : *std::max_element(curve.begin(), curve.end()) - ends;
}

double barrier_above_line(std::span<const double> curve, bool higher_is_better) {
  double worst = 0.0;
  for (std::size_t p = 0; p < curve.size(); ++p) {
    const double share = static_cast<double>(p) / static_cast<double>(curve.size() - 1);
    const double rise = curve[p] - ((1.0 - share) * curve.front() + share * curve.back());
    worst = std::max(worst, higher_is_better ? -rise : rise);
  }
  return worst;
}

std::vector<Measurement> pairwise_barriers(const MergeInput& robots, std::span<const PairAlignment> alignments,
                                           std::span<const GroupElement> elements, int points, const Judge& judge,
                                           const Comm& comm) {
  std::vector<Measurement> measured;
  for (const PairAlignment alignment : alignments) {
    Pairs(robots, alignment, elements, points, judge, comm).measure(measured);
  }
  return measured;
}

}  // namespace fleet
