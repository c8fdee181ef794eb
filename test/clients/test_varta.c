/* What the C client promises beside the contract: a fake, an interval, one line a cause, names. */
#include "varta.h"
#include <assert.h>

static int lines;

static void note(const char *line) {
  (void)line;
  lines++;
}

static int answer(void *context) {
  return *(int *)context;
}

int main(void) {
  static varta_client client;
  varta_open_fake(&client);
  assert(varta_beat(&client, VARTA_DEGRADED, 7) == VARTA_SENT);
  assert(client.sent == 1 && client.status == VARTA_DEGRADED && client.payload == 7);
  int status = VARTA_OK;
  varta_beat_every(&client, 60000, answer, &status);
  varta_beat_every(&client, 60000, answer, &status);
  assert(client.sent == 2);
  status = -1;
  client.next_beat_ns = 0;
  varta_beat_every(&client, 1, answer, &status);
  assert(client.sent == 2);
  varta_close(&client);
  assert(varta_beat(&client, VARTA_OK, 0) == VARTA_CLOSED);
  varta_open_door(&client, VARTA_STREAM, "/nowhere/varta.sock");
  varta_log_to(&client, note);
  for (int n = 0; n < 5; n++) assert(varta_beat(&client, VARTA_OK, 0) == VARTA_NO_OBSERVER);
  assert(varta_beat(&client, 9, 0) == VARTA_BAD_STATUS);
  assert(lines == 2 && client.dropped == 5 && client.failed == 1);
  assert(varta_call(&client, "two words", 0) == VARTA_BAD_NAME);
  assert(varta_call(&client, "77", 0) == VARTA_BAD_NAME);
  assert(varta_call(&client, "other", 0) == VARTA_BAD_NAME);
  assert(varta_call(&client, "", 0) == VARTA_BAD_NAME);
  assert(varta_call(&client, "12345678901234567890123456789012345678901", 0) == VARTA_BAD_NAME);
  assert(varta_call(&client, "1234567890123456789012345678901234567890", 0) == VARTA_BAD_NAME);
  assert(varta_call(&client, "web-1@eu.a:b_c", 500) == VARTA_SENT);
  varta_close(&client);
  return 0;
}
