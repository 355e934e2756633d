#include "merge/activation_matching.hpp"

#include <map>

#include "base/error.hpp"
#include "merge/block_matching.hpp"
#include "merge/consensus.hpp"
#include "merge/linear_assignment.hpp"

namespace fleet {
namespace {

/// Outputs of one map as a linear function of what enters it: their means and deviations.
struct OutputMoments {
  OutputMoments(const MapMoments& moments, const RowMatrix& map, bool has_constant)
      : mean(Eigen::VectorXd::Zero(map.rows())) {
    const Eigen::MatrixXd matrix = map.cast<double>();
    const Eigen::MatrixXd product = matrix * moments.inputs / moments.samples;
    if (has_constant) mean = product.rightCols<1>();
    deviation = (product.cwiseProduct(matrix).rowwise().sum() - mean.cwiseAbs2()).cwiseMax(0.0).cwiseSqrt();
  }
  Eigen::VectorXd mean;
  Eigen::VectorXd deviation;
};

/// Correlation of every output of map `index` in `reference` (rows) with every one in `own` (columns), over the robot's
/// data; zero where an output never changes.
RowMatrix correlate(const AffineMap& map, std::size_t index, const ParamVector& reference, const ParamVector& own,
                    LocalData& data) {
  const RowMatrix reference_map = map.matrix(reference);
  const RowMatrix own_map = map.matrix(own);
  const MapMoments cross = data.map_moments(reference, own, index);
  const OutputMoments a(cross, reference_map, map.has_constant());
  const OutputMoments b(data.map_moments(own, own, index), own_map, map.has_constant());
  Eigen::MatrixXd covariance =
      reference_map.cast<double>() * cross.targets.transpose() / cross.samples - a.mean * b.mean.transpose();
  const auto inverse = [](double deviation) { return deviation > 1e-12 ? 1.0 / deviation : 0.0; };
  covariance = a.deviation.unaryExpr(inverse).asDiagonal() * covariance * b.deviation.unaryExpr(inverse).asDiagonal();
  return covariance.cast<float>();
}

/// One robot's units against the reference's.
class UnitMatching {
 public:
  UnitMatching(const MergeInput& input, const ParamVector& reference, const ParamVector& own, LocalData& data)
      : symmetry_(*input.symmetry) {
    for (std::size_t m = 0; m < input.maps.size(); ++m) {
      const std::size_t tensor = input.maps[m].weights.front();
      const bool permuted =
          std::any_of(symmetry_.actions().begin(), symmetry_.actions().end(),
                      [&](const auto& action) { return action.tensor == tensor && action.axis == 0; });
      if (permuted) correlations_.emplace(tensor, correlate(input.maps[m], m, reference, own, data));
    }
  }

  GroupElement run() const {
    GroupElement element = symmetry_.identity();
    for (std::size_t g = 0; g < element.size(); ++g) {
      if (symmetry_.groups()[g].parent) continue;  // along with its parent
      if (symmetry_.groups_within(g, 0).empty()) {
        element[g] = match_units(symmetry_.groups()[g].kind, likeness(g, g));
      } else {
        match_blocks(g, element);
      }
    }
    return element;
  }

 private:
  /// How alike the units of two groups are; two different ones are the same group of two blocks.
  RowMatrix likeness(std::size_t group, std::size_t other) const {
    const int size = symmetry_.groups()[group].size;
    RowMatrix sum = RowMatrix::Zero(size, size);
    for (const SymmetryAction& a : symmetry_.actions()) {
      const auto correlation = correlations_.find(a.tensor);
      if (a.group != group || a.axis != 0 || correlation == correlations_.end()) continue;
      for (const SymmetryAction& b : symmetry_.actions()) {
        if (b.group != other || b.axis != 0 || b.tensor != a.tensor) continue;
        add_units(correlation->second, a, b.offset, sum);
      }
    }
    return sum;
  }

  static void add_units(const RowMatrix& correlation, const SymmetryAction& action, int other_offset, RowMatrix& sum) {
    const Eigen::Index size = sum.rows();
    for (Eigen::Index outer = 0; outer < action.outer; ++outer) {
      for (Eigen::Index inner = 0; inner < action.inner; ++inner) {
        const Eigen::Index place = outer * size * action.inner + inner;
        for (Eigen::Index i = 0; i < size; ++i) {
          for (Eigen::Index j = 0; j < size; ++j) {
            sum(i, j) += correlation(action.offset + place + i * action.inner, other_offset + place + j * action.inner);
          }
        }
      }
    }
  }

  void match_blocks(std::size_t parent, GroupElement& element) const {
    BlockMatching matching(symmetry_, parent);
    const int blocks = symmetry_.groups()[parent].size;
    for (int i = 0; i < blocks; ++i) {
      for (int j = 0; j < blocks; ++j) {
        const std::vector<std::size_t> here = symmetry_.groups_within(parent, i);
        const std::vector<std::size_t> there = symmetry_.groups_within(parent, j);
        for (std::size_t k = 0; k < here.size(); ++k) matching.compare(i, j, likeness(here[k], there[k]));
      }
    }
    matching.match(element);
  }

  const SymmetrySpec& symmetry_;
  std::map<std::size_t, RowMatrix> correlations_;  // by the tensor whose outputs they are
};

ParamVector reference_of(const MergeInput& input, const Comm& comm) {
  return input.previous != nullptr ? *input.previous : weights_of(input, input.participants.front(), comm);
}

}  // namespace

std::vector<GroupElement> match_activations(const MergeInput& input, const Comm& comm) {
  require(!input.maps.empty(), "activation matching: this network does not say what its layers are");
  const ParamVector reference = reference_of(input, comm);
  std::vector<GroupElement> elements(input.rows.size(), input.symmetry->identity());
  comm.together([&] {
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      const MergeRow& row = input.rows[i];
      if (row.participates) elements[i] = UnitMatching(input, reference, *row.weights, *row.data).run();
    }
  });
  return elements;
}

}  // namespace fleet
