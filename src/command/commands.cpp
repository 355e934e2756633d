#include "command/commands.hpp"

#include <array>

namespace fleet {

std::span<const Command> command_table() {
  static constexpr std::array kCommands = {
      Command{"run", "run a sweep, under mpirun or srun: mpirun -n 5 fleet run CONFIG", command::run, true},
      Command{"plan", "say what a sweep would run, and check everything without training", command::plan, true},
      Command{"slurm", "write a Slurm job script for a sweep, by what its finished cells took", command::slurm},
      Command{"status", "say what is done, running and failed in a sweep's directory", command::status},
      Command{"collect", "join a sweep's finished cells into one HDF5 file", command::collect},
      Command{"merge", "merge saved models, or safetensors files: fleet merge A.h5 B.h5 --method M -o C.h5",
              command::merge, true},
      Command{"barrier", "loss between saved models: fleet barrier A.h5 B.h5 -o DIR", command::barrier, true},
      Command{"export", "a saved model for PyTorch: fleet export A.h5 -o A.safetensors", command::export_model},
      Command{"data fetch", "fetch a data set: fleet data fetch mnist", command::data_fetch},
      Command{"keys", "say what can be set, and what it means: fleet keys merge.fleet-merge", command::keys},
      Command{"list", "list workloads, merging methods and models", command::list},
  };
  return kCommands;
}

}  // namespace fleet
