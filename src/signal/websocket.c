#include "signal/websocket.h"

#include "base/bytes.h"
#include "crypto/base64.h"
#include "crypto/digest.h"

void pl_ws_init(pl_ws *ws, bool client, size_t message_max, pl_rand rand)
{
    *ws = (pl_ws){ .client = client, .message_max = message_max, .rand = rand, .need = 2 };
    ws->message = pl_buf_init(message_max);
}

void pl_ws_clear(pl_ws *ws)
{
    pl_buf_clear(&ws->message);
}

void pl_ws_done(pl_ws *ws)
{
    if (!ws->told)
        return;
    pl_buf_clear(&ws->message);
    ws->message = pl_buf_init(ws->message_max);
    ws->told = false;
}

/* ---- writing ---- */

void pl_ws_put(pl_ws *ws, pl_ws_op op, const void *data, size_t len, pl_buf *out)
{
    uint8_t head[14];
    pl_wr w = pl_wr_init(head, sizeof head);
    uint8_t mask_bit = ws->client ? 0x80 : 0, mask[4] = { 0 };
    pl_wr_u8(&w, (uint8_t)(0x80 | op));
    if (len < 126) {
        pl_wr_u8(&w, (uint8_t)(mask_bit | len));
    } else if (len <= UINT16_MAX) {
        pl_wr_u8(&w, mask_bit | 126);
        pl_wr_u16(&w, (uint16_t)len);
    } else {
        pl_wr_u8(&w, mask_bit | 127);
        pl_wr_u64(&w, len);
    }
    if (ws->client) {
        pl_rand_bytes(&ws->rand, mask, sizeof mask);
        pl_wr_bytes(&w, mask, sizeof mask);
    }
    pl_buf_add(out, head, pl_wr_len(&w));
    size_t at = out->n;
    pl_buf_add(out, data, len);
    for (size_t i = 0; ws->client && !out->bad && i < len; i++)
        out->p[at + i] = (char)((uint8_t)out->p[at + i] ^ mask[i & 3]);
}

void pl_ws_put_close(pl_ws *ws, uint16_t code, const char *reason, pl_buf *out)
{
    uint8_t body[PL_WS_CONTROL_MAX];
    size_t len = strlen(reason);
    if (ws->closing)
        return;
    ws->closing = true;
    pl_wr w = pl_wr_init(body, sizeof body);
    pl_wr_u16(&w, code);
    pl_wr_bytes(&w, reason, len < sizeof body - 2 ? len : sizeof body - 2);
    pl_ws_put(ws, PL_WS_CLOSE, body, pl_wr_len(&w), out);
}

/* ---- reading ---- */

static pl_ws_progress fail(pl_ws *ws, uint16_t code, const char *why, pl_buf *out)
{
    pl_ws_put_close(ws, code, why, out);
    ws->close_code = code;
    return PL_WS_FAILED;
}

/* RFC 6455 7.4: codes that may stand in a frame. */
static bool close_code_is_legal(uint16_t code)
{
    if (code >= 1000 && code <= 1014)
        return code != 1004 && code != 1005 && code != 1006;
    return code >= 3000 && code <= 4999;
}

static pl_ws_progress on_close(pl_ws *ws, pl_buf *out)
{
    ws->close_code = 1005;
    if (ws->control_len == 0) {
        if (!ws->closing)
            pl_ws_put(ws, PL_WS_CLOSE, NULL, 0, out);
        ws->closing = true;
        return PL_WS_CLOSED;
    }
    uint16_t code = ws->control_len >= 2 ? pl_get16(ws->control) : 0;
    if (!close_code_is_legal(code))
        return fail(ws, 1002, "bad close code", out);
    if (!pl_utf8_valid(ws->control + 2, ws->control_len - 2u))
        return fail(ws, 1007, "reason is not UTF-8", out);
    ws->close_code = code;
    pl_ws_put_close(ws, code, "", out);
    return PL_WS_CLOSED;
}

static pl_ws_progress on_control(pl_ws *ws, pl_buf *out)
{
    if (ws->op == PL_WS_CLOSE)
        return on_close(ws, out);
    if (ws->op == PL_WS_PING && !ws->closing)
        pl_ws_put(ws, PL_WS_PONG, ws->control, ws->control_len, out);
    return PL_WS_MORE;
}

static pl_ws_progress on_frame_end(pl_ws *ws, pl_buf *out)
{
    ws->in_payload = false;
    ws->head_len = 0;
    ws->need = 2;
    ws->alive = true;
    if (ws->op >= PL_WS_CLOSE)
        return on_control(ws, out);
    ws->in_message = !ws->fin;
    if (!ws->fin)
        return PL_WS_MORE;
    if (ws->message.bad)
        return fail(ws, 1009, "out of memory", out);
    if (!pl_utf8_valid(ws->message.p, ws->message.n))
        return fail(ws, 1007, "not UTF-8", out);
    ws->told = true;
    return PL_WS_MESSAGE;
}

static pl_ws_progress check_data_frame(pl_ws *ws, pl_buf *out)
{
    if (ws->op > PL_WS_BINARY)
        return fail(ws, 1002, "unknown opcode", out);
    if ((ws->op == PL_WS_CONT) != ws->in_message)
        return fail(ws, 1002, "fragments out of order", out);
    if (ws->op == PL_WS_BINARY)
        return fail(ws, 1003, "only text here", out);
    if (ws->left > ws->message_max - ws->message.n)
        return fail(ws, 1009, "message too big", out);
    return PL_WS_MORE;
}

static pl_ws_progress on_header(pl_ws *ws, pl_buf *out)
{
    pl_rd r = pl_rd_init(ws->head, ws->head_len);
    uint8_t first = pl_rd_u8(&r), second = pl_rd_u8(&r);
    uint8_t short_len = second & 0x7f;
    ws->left = short_len == 126 ? pl_rd_u16(&r) : short_len == 127 ? pl_rd_u64(&r) : short_len;
    if (ws->masked)
        memcpy(ws->mask, pl_rd_take(&r, 4), 4);
    ws->op = first & 0x0f;
    ws->fin = first & 0x80;
    ws->at = 0;
    ws->control_len = 0;
    ws->in_payload = true;
    if ((short_len == 126 && ws->left < 126) || (short_len == 127 && ws->left <= UINT16_MAX))
        return fail(ws, 1002, "length not minimal", out);
    if (ws->op >= PL_WS_CLOSE) {
        if (!ws->fin || ws->left > PL_WS_CONTROL_MAX || ws->op > PL_WS_PONG)
            return fail(ws, 1002, "bad control frame", out);
    } else if (check_data_frame(ws, out) == PL_WS_FAILED) {
        return PL_WS_FAILED;
    }
    return ws->left ? PL_WS_MORE : on_frame_end(ws, out);
}

static pl_ws_progress feed_header_byte(pl_ws *ws, uint8_t byte, pl_buf *out)
{
    ws->head[ws->head_len++] = byte;
    if (ws->head_len == 2) {
        uint8_t len = byte & 0x7f;
        ws->masked = byte & 0x80;
        if (ws->head[0] & 0x70)
            return fail(ws, 1002, "reserved bits", out);
        if (ws->masked == ws->client) /* RFC 6455 5.1: clients mask, servers must not */
            return fail(ws, 1002, "wrong masking", out);
        ws->need = (uint8_t)(2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + (ws->masked ? 4 : 0));
    }
    return ws->head_len == ws->need ? on_header(ws, out) : PL_WS_MORE;
}

static pl_ws_progress feed_payload(pl_ws *ws, uint8_t *data, size_t len, size_t *used, pl_buf *out)
{
    size_t n = len < ws->left ? len : (size_t)ws->left;
    for (size_t i = 0; ws->masked && i < n; i++)
        data[i] ^= ws->mask[(ws->at + i) & 3];
    ws->at += n;
    ws->left -= n;
    *used += n;
    if (ws->op >= PL_WS_CLOSE) {
        memcpy(ws->control + ws->control_len, data, n);
        ws->control_len = (uint8_t)(ws->control_len + n);
    } else {
        pl_buf_add(&ws->message, data, n);
    }
    return ws->left ? PL_WS_MORE : on_frame_end(ws, out);
}

pl_ws_progress pl_ws_feed(pl_ws *ws, uint8_t *data, size_t len, size_t *used, pl_buf *out)
{
    pl_ws_progress p = PL_WS_MORE;
    *used = 0;
    pl_ws_done(ws);
    while (*used < len && p == PL_WS_MORE) {
        if (ws->in_payload)
            p = feed_payload(ws, data + *used, len - *used, used, out);
        else
            p = feed_header_byte(ws, data[(*used)++], out);
    }
    return p;
}

/* ---- opening ---- */

bool pl_ws_accept(pl_str key, char out[PL_WS_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    enum { KEY_LEN = PL_BASE64_LEN(16) };
    char text[KEY_LEN + sizeof guid];
    uint8_t nonce[16], hash[PL_SHA1_LEN];
    size_t len;
    if (key.n != KEY_LEN || !pl_base64_decode(key.p, key.n, nonce, sizeof nonce, &len) || len != sizeof nonce)
        return false;
    memcpy(text, key.p, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    pl_sha1(text, KEY_LEN + sizeof guid - 1, hash);
    pl_base64_encode(hash, sizeof hash, out);
    return true;
}
