#include <array>

#include "base/error.hpp"
#include "merge/average.hpp"
#include "merge/best_of.hpp"
#include "merge/controls.hpp"
#include "merge/fisher.hpp"
#include "merge/fleet_merge.hpp"
#include "merge/general_linear.hpp"
#include "merge/git_rebasin.hpp"
#include "merge/merger.hpp"
#include "merge/regmean.hpp"
#include "merge/regression.hpp"
#include "merge/scaffold.hpp"
#include "merge/sinkhorn_data.hpp"

namespace fleet {
namespace {

std::unique_ptr<Merger> no_merger(SettingsReader& /*settings*/) {
  return nullptr;
}

constexpr std::array kMergers = {
    MergerEntry{"average", "FedAvg: the mean of the weights (McMahan et al., 2017)", Regime::kMerge, make_average},
    MergerEntry{"scaffold", "average, robots' drift corrected by control variates (Karimireddy et al., 2020)",
                Regime::kMerge, make_scaffold},
    MergerEntry{"fleet-merge", "FLEET-MERGE, Algorithm 1: align to a common reference, then average", Regime::kMerge,
                make_fleet_merge},
    MergerEntry{"git-rebasin", "permute weights to match, then average: MergeMany (Ainsworth et al., 2022)",
                Regime::kMerge, make_git_rebasin},
    MergerEntry{"sinkhorn-data", "MergeMany by Sinkhorn re-basin on the fleet's data (Pena et al., 2023)",
                Regime::kMerge, make_sinkhorn_data},
    MergerEntry{"fisher", "average weighted by diagonal Fisher information (Matena and Raffel, 2022)", Regime::kMerge,
                make_fisher},
    MergerEntry{"regmean", "least squares per layer on own features: RegMean (Jin et al., 2023)", Regime::kMerge,
                make_regmean},
    MergerEntry{"regression", "ours: layer regression on the merged network's features, with a solved head",
                Regime::kMerge, make_regression},
    MergerEntry{"auto", "ours, for whoever wants to tune nothing: regression or a robot of its own, then short rounds",
                Regime::kMerge, make_auto, 3},
    MergerEntry{"gl", "linear policies: fit an invertible basis to each, then average (Appendix G)", Regime::kMerge,
                make_general_linear},
    MergerEntry{"best-of", "several methods, the one with the least loss over the fleet kept", Regime::kMerge,
                make_best_of},
    MergerEntry{"random", "control: random weights in place of what was learned", Regime::kMerge, make_random_weights},
    MergerEntry{"one-robot", "control: a single robot's weights for the whole fleet", Regime::kMerge, make_one_robot},
    MergerEntry{"local", "reference line: every robot on its own, never merged", Regime::kLocal, no_merger},
    MergerEntry{"joint", "reference line: one policy trained on all robots' data pooled", Regime::kJoint, no_merger},
};

[[noreturn]] void not_offered(const char* what) {
  throw Error(cat("this method needs ", what, ", which the robots of this workload do not offer"));
}

}  // namespace

Score LocalData::held_out_loss(const ParamVector& /*at*/) {
  not_offered("the loss on held-out data");
}

MapMoments LocalData::map_moments(const ParamVector& /*features*/, const ParamVector& /*targets*/,
                                  std::size_t /*map*/) {
  not_offered("second moments of layer inputs");
}

OutputSums LocalData::output_sums(const ParamVector& /*at*/, std::size_t /*map*/) {
  not_offered("moments of layer outputs");
}

std::unique_ptr<HeadData> LocalData::head_data(const ParamVector& /*body*/) {
  not_offered("the loss as a function of the last layer");
}

Score LocalData::trials(const ParamVector& /*at*/, int /*episodes*/, std::uint64_t /*draw*/) {
  not_offered("trials in the world");
}

ParamVector LocalData::take_steps(const ParamVector& /*start*/, const LocalSteps& /*steps*/, std::uint64_t /*draw*/,
                                  const GradientTerm* /*term*/) {
  not_offered("short runs of training");
}

Curvature LocalData::curvature(const ParamVector& /*at*/, std::uint64_t /*draw*/) {
  not_offered("the curvature of the loss");
}

std::span<const MergerEntry> merger_table() {
  return kMergers;
}

const MergerEntry& find_merger(std::string_view name) {
  for (const MergerEntry& entry : kMergers) {
    if (entry.name == name) return entry;
  }
  throw Error(cat("no merging method is called ", name));
}

}  // namespace fleet
