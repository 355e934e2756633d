#include "merge/regmean.hpp"

#include "base/error.hpp"
#include "merge/alignment.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_moments.hpp"

namespace fleet {
namespace {

/// W_l = (sum_i W_i G_i) (sum_i G_i)^-1 with G_i the second moments of what enters layer l in robot i's own network,
/// their off-diagonal entries scaled (Jin et al., Dataless Knowledge Fusion by Merging Weights of Language Models,
/// 2023, Section 3). A bias counts as the weight of a constant input; the ridge, which the paper does without, keeps
/// units that are never active solvable. What a normalisation is told of its outputs comes of the moments as they are.
class RegMean final : public Merger {
 public:
  RegMean(Alignment align, double off_diagonal, double ridge)
      : align_(align), off_diagonal_(off_diagonal), ridge_(ridge) {}

  MergerNeeds needs() const override {
    return {.layers = true,
            .asks = {Question::kMapMoments},
            .exchange = exchange_of(align_),
            .between = align_ == Alignment::kActivations};
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    require(!input.maps.empty(), "RegMean: this network does not say what its layers are");
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    outcome.elements = align_fleet(align_, input, comm);
    outcome.merged = aligned_mean(input, outcome.elements, true, comm);
    outcome.iterations = 1;
    if (input.participants.size() == 1) return outcome;
    const std::vector<ParamVector> aligned = aligned_rows(input, outcome.elements);
    enter_bases(input, outcome.elements);
    for (std::size_t m = 0; m < input.maps.size(); ++m) {
      const AffineMap& map = input.maps[m];
      const MapMoments sums = sum_moments(input, comm, map, [&](std::size_t i) -> std::optional<MapMoments> {
        if (!input.rows[i].participates) return std::nullopt;
        MapMoments own = input.rows[i].data->map_moments(aligned[i], aligned[i], m);
        own.targets = off_diagonal_ * own.targets + (1.0 - off_diagonal_) * map.matrix(aligned[i]).cast<double>() *
                                                        own.inputs.diagonal().asDiagonal();
        return own;
      });
      MapMoments scaled = sums;
      scaled.inputs *= off_diagonal_;
      scaled.inputs.diagonal() = sums.inputs.diagonal();
      write_map(map, solve_map(input, scaled, ridge_, map.matrix(outcome.merged), comm), sums.inputs, outcome.merged);
    }
    return outcome;
  }

 private:
  Alignment align_;
  double off_diagonal_;
  double ridge_;
};

}  // namespace

std::unique_ptr<Merger> make_regmean(SettingsReader& settings) {
  Alignment align = Alignment::kNone;
  double off_diagonal = 0.9;
  double ridge = 1e-6;
  settings.read("merge.regmean.align", align, Names<Alignment>(kAlignments),
                "How policies are permuted before their layers are solved.");
  settings.read("merge.regmean.off_diagonal", off_diagonal, between(0, 1),
                "What the off-diagonal second moments are multiplied by.");
  settings.read("merge.regmean.ridge", ridge, above(0), "Ridge of each layer, relative to its mean second moment.");
  return std::make_unique<RegMean>(align, off_diagonal, ridge);
}

}  // namespace fleet
