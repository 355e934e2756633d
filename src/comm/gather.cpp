#include "comm/gather.hpp"

#include <algorithm>
#include <climits>
#include <numeric>

#include "base/error.hpp"
#include "comm/polite_wait.hpp"

namespace fleet {
namespace {

constexpr int kFewRanks = 16;
constexpr int kGatherTag = 3;

/// An element as MPI sees it.
class ElementType {
 public:
  explicit ElementType(std::size_t bytes) {
    check_mpi(MPI_Type_contiguous(static_cast<int>(bytes), MPI_BYTE, &type_), "MPI_Type_contiguous");
    check_mpi(MPI_Type_commit(&type_), "MPI_Type_commit");
  }
  ElementType(const ElementType&) = delete;
  ElementType& operator=(const ElementType&) = delete;
  ~ElementType() { MPI_Type_free(&type_); }
  [[nodiscard]] MPI_Datatype get() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

/// Where each part begins; the last entry is the whole.
std::vector<int> begins_of(std::span<const std::size_t> counts) {
  std::vector<int> begins(counts.size() + 1, 0);
  for (std::size_t i = 0; i < counts.size(); ++i) begins[i + 1] = begins[i] + static_cast<int>(counts[i]);
  return begins;
}

}  // namespace

void gather_from_each(const Comm& comm, const GatheredParts& parts) {
  const ElementType element(parts.element_bytes);
  const std::vector<int> begins = begins_of(parts.counts);
  const std::vector<int> counts(parts.counts.begin(), parts.counts.end());
  finish("MPI_Iallgatherv", [&](MPI_Request* request) {
    return MPI_Iallgatherv(parts.local, counts[static_cast<std::size_t>(comm.rank())], element.get(), parts.all,
                           counts.data(), begins.data(), element.get(), comm.handle(), request);
  });
}

/// A rank that has the parts of `have` ranks, from its own on, hands the first of them to the rank that lies so many
/// before it, and gets as many from the one that lies so many after it.
void gather_by_doubling(const Comm& comm, const GatheredParts& parts) {
  const ElementType element(parts.element_bytes);
  const std::size_t ranks = parts.counts.size();
  const auto rank = static_cast<std::size_t>(comm.rank());
  std::vector<std::size_t> from_here(parts.counts.begin(), parts.counts.end());
  std::ranges::rotate(from_here, from_here.begin() + comm.rank());
  const std::vector<int> begins = begins_of(from_here);
  std::vector<std::byte> room(static_cast<std::size_t>(begins.back()) * parts.element_bytes);
  const auto place = [&](std::size_t part) {
    return room.data() + static_cast<std::size_t>(begins[part]) * parts.element_bytes;
  };
  std::copy_n(static_cast<const std::byte*>(parts.local), parts.counts[rank] * parts.element_bytes, room.begin());
  for (std::size_t have = 1; have < ranks; have *= 2) {
    const std::size_t more = std::min(have, ranks - have);
    const auto before = static_cast<int>((rank + ranks - have) % ranks);
    const auto after = static_cast<int>((rank + have) % ranks);
    MPI_Request sent = MPI_REQUEST_NULL;
    check_mpi(MPI_Isend(room.data(), begins[more], element.get(), before, kGatherTag, comm.handle(), &sent),
              "MPI_Isend");
    finish("MPI_Irecv", [&](MPI_Request* request) {
      return MPI_Irecv(place(have), begins[have + more] - begins[have], element.get(), after, kGatherTag, comm.handle(),
                       request);
    });
    wait_politely(sent, "MPI_Isend");
  }
  const std::size_t before_here = std::accumulate(parts.counts.begin(), parts.counts.begin() + comm.rank(), 0UL);
  const auto middle = room.end() - static_cast<std::ptrdiff_t>(before_here * parts.element_bytes);
  std::ranges::rotate_copy(room, middle, static_cast<std::byte*>(parts.all));
}

void gather_parts(const Comm& comm, const GatheredParts& parts) {
  const std::size_t total = std::accumulate(parts.counts.begin(), parts.counts.end(), 0UL);
  require(total <= INT_MAX, "a message of ", total, " elements exceeds MPI's limit of ", INT_MAX);
  (comm.size() <= kFewRanks ? gather_from_each : gather_by_doubling)(comm, parts);
}

}  // namespace fleet
