#include "merge/fleet_memory.hpp"

#include "merge/consensus.hpp"
#include "merge/fleet_moments.hpp"
#include "merge/known_sums.hpp"

namespace fleet {
namespace {

/// Of what enters map `map`: those of robots' data are sent by those who have not done so yet.
void charge_moments(const MergeInput& input, std::size_t map, const Comm& comm) {
  if (input.cost == nullptr) return;
  const bool in_double = is_head(input, input.maps[map]);
  std::int64_t senders = 0;
  for (const MergeRow& row : input.rows) {
    const bool knows = input.known != nullptr && input.known->has_part({map, in_double}, row.robot);
    senders += row.participates && !knows ? 1 : 0;
  }
  const std::uint64_t bytes = symmetric_bytes(input.maps[map].inputs(*input.symmetry->layout()));
  input.cost->of(Cargo::kMoments).sent += static_cast<std::uint64_t>(comm.sum(senders)) * (in_double ? 2 : 1) * bytes;
}

}  // namespace

const RobotMemory* FleetMemory::of(const MergeInput& input, std::size_t row) const {
  const auto found = robots_.find(input.rows[row].robot);
  const bool stands_in = !input.rows[row].participates && input.previous != nullptr && found != robots_.end();
  return stands_in ? &found->second : nullptr;
}

bool FleetMemory::has_any(const MergeInput& input, const Comm& comm) const {
  std::int64_t remembered = 0;
  for (std::size_t i = 0; i < input.rows.size(); ++i) remembered += of(input, i) != nullptr ? 1 : 0;
  return comm.sum(remembered) > 0;
}

void FleetMemory::note(const MergeInput& input, const ParamVector& consensus, const Comm& comm) {
  std::int64_t away = 0;
  for (const MergeRow& row : input.rows) away += !row.participates && row.samples > 0.0 ? 1 : 0;
  if (comm.sum(away) == 0) return;
  comm.see_through([&] {  // another method may have remembered the merge already
    for (const MergeRow& row : input.rows) {
      if (!row.participates) continue;
      RobotMemory& memory = robots_[row.robot];
      memory.samples = row.samples;
      memory.inputs.clear();
      for (std::size_t map = 0; map < input.maps.size(); ++map) {
        DoubleMatrix& inputs = memory.inputs.emplace_back(row.data->map_moments(consensus, consensus, map).inputs);
        if (!is_head(input, input.maps[map])) to_single(flat(inputs));  // as it was sent
      }
    }
  });
  for (std::size_t map = 0; map < input.maps.size(); ++map) charge_moments(input, map, comm);
}

void FleetMemory::save(int robot, StateWriter& state) const {
  if (robot == kWholeFleet) return;
  const auto found = robots_.find(robot);
  const RobotMemory memory = found != robots_.end() ? found->second : RobotMemory{};
  state.write(memory.samples);
  state.write(static_cast<std::uint64_t>(memory.inputs.size()));
  for (const DoubleMatrix& inputs : memory.inputs) {
    state.write(static_cast<std::int64_t>(inputs.rows()));
    state.write_all(std::span(inputs.data(), static_cast<std::size_t>(inputs.size())));
  }
}

void FleetMemory::load(int robot, StateReader& state) {
  if (robot == kWholeFleet) return;
  RobotMemory memory{.samples = state.read<double>()};
  const auto maps = state.read<std::uint64_t>();
  for (std::uint64_t map = 0; map < maps; ++map) {
    const auto size = static_cast<Eigen::Index>(state.read<std::int64_t>());
    DoubleMatrix& inputs = memory.inputs.emplace_back(size, size);
    state.read_into(std::span(inputs.data(), static_cast<std::size_t>(inputs.size())));
  }
  if (!memory.inputs.empty()) robots_.insert_or_assign(robot, std::move(memory));
}

}  // namespace fleet
