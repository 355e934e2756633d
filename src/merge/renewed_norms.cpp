#include "merge/renewed_norms.hpp"

#include <algorithm>

#include "merge/consensus.hpp"

namespace fleet {
namespace {

class WithRenewedNorms final : public Merger {
 public:
  explicit WithRenewedNorms(std::unique_ptr<Merger> method) : method_(std::move(method)) {}

  MergerNeeds needs() const override { return method_->needs(); }
  int private_sums(std::span<const AffineMap> maps) const override { return method_->private_sums(maps); }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome outcome = method_->merge(input, comm);
    if (!has_batch_norm(input.maps)) return outcome;
    enter_bases(input, outcome.elements);
    for (std::size_t m = 0; m < input.maps.size(); ++m) {
      if (input.maps[m].norm) renew(input, m, outcome.merged, comm);
    }
    return outcome;
  }

  std::unique_ptr<GradientTerm> local_term(int robot, const ParamVector* consensus) const override {
    return method_->local_term(robot, consensus);
  }
  void save(int robot, StateWriter& state) const override { method_->save(robot, state); }
  void load(int robot, StateReader& state) override { method_->load(robot, state); }

 private:
  static void renew(const MergeInput& input, std::size_t index, ParamVector& merged, const Comm& comm) {
    const AffineMap& map = input.maps[index];
    const Eigen::Index outputs = map.outputs(merged.layout());
    std::vector<std::vector<double>> local;  // sums, sums of squares, count
    comm.together([&] {
      for (const MergeRow& row : input.rows) {
        if (!row.participates) continue;
        const OutputMoments own = row.data->output_moments(merged, index);
        std::vector<double>& values = local.emplace_back(own.sum.begin(), own.sum.end());
        values.insert(values.end(), own.squares.begin(), own.squares.end());
        values.push_back(own.rows);
      }
    });
    std::vector<Comm::DoubleTerm> terms;
    for (const std::vector<double>& values : local) terms.push_back({values, 1.0});
    std::vector<double> total(static_cast<std::size_t>(2 * outputs + 1));
    comm.ordered_sum(terms, total);
    const std::uint64_t bytes = sizeof(double) * total.size();
    charge(input, Cargo::kMoments, {.sent = bytes, .received = bytes});
    const double rows = total.back();
    if (rows == 0.0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(outputs); ++i) {
      const double mean = total[i] / rows;
      const double square = total[static_cast<std::size_t>(outputs) + i] / rows;
      merged.tensor(map.norm->mean)[i] = static_cast<float>(mean);
      merged.tensor(map.norm->variance)[i] = static_cast<float>(std::max(0.0, square - mean * mean));
    }
  }

  std::unique_ptr<Merger> method_;
};

}  // namespace

bool read_renew_norms(SettingsReader& settings) {
  bool renew = true;
  settings.read("merge.renew_norms", renew,
                "Whether batch normalisation gets the mean and variance of the merged network's own outputs.");
  return renew;
}

std::unique_ptr<Merger> with_renewed_norms(std::unique_ptr<Merger> method) {
  return std::make_unique<WithRenewedNorms>(std::move(method));
}

}  // namespace fleet
