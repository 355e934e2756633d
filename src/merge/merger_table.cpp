#include <array>

#include "base/error.hpp"
#include "merge/average.hpp"
#include "merge/fleet_merge.hpp"
#include "merge/merger.hpp"

namespace fleet {
namespace {

std::unique_ptr<Merger> no_merger(SettingsReader& /*settings*/) {
  return nullptr;
}

constexpr std::array kMergers = {
    MergerEntry{"average", "FedAvg: the mean of the weights (McMahan et al., 2017)", Regime::kMerge, make_average},
    MergerEntry{"fleet-merge", "FLEET-MERGE, Algorithm 1: align to a common reference, then average", Regime::kMerge,
                make_fleet_merge},
    MergerEntry{"local", "reference line: every robot on its own, never merged", Regime::kLocal, no_merger},
    MergerEntry{"joint", "reference line: one policy trained on all robots' data pooled", Regime::kJoint, no_merger},
};

}  // namespace

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
