/* srtp_profile.h - what DTLS negotiates and SRTP uses: the protection profiles and their keys.
 * Source   RFC 5764 4.1.2, RFC 7714 14.2; numbers from the IANA registry of DTLS-SRTP protection profiles.
 * Shape    plain data; wipe the keys with pl_wipe. */
#ifndef PL_CRYPTO_SRTP_PROFILE_H
#define PL_CRYPTO_SRTP_PROFILE_H

#include <stddef.h>
#include <stdint.h>

typedef enum pl_srtp_profile {
    PL_SRTP_NONE = 0,
    PL_SRTP_AES128_CM_SHA1_80 = 0x0001,
    PL_SRTP_AES128_CM_SHA1_32 = 0x0002, /* RTCP keeps a tag of 80 bits; spoken, never offered */
    PL_SRTP_AEAD_AES_128_GCM = 0x0007,
    PL_SRTP_AEAD_AES_256_GCM = 0x0008,
} pl_srtp_profile;

enum { PL_SRTP_KEY_MAX = 32, PL_SRTP_SALT_MAX = 14 };

/* Master key and salt of one direction. */
typedef struct pl_srtp_master {
    uint8_t key[PL_SRTP_KEY_MAX];
    uint8_t salt[PL_SRTP_SALT_MAX];
} pl_srtp_master;

typedef struct pl_srtp_keys {
    pl_srtp_profile profile;
    pl_srtp_master local;  /* what we send is protected with this */
    pl_srtp_master remote; /* what we receive */
} pl_srtp_keys;

/* Bytes of the master key and of the master salt; 0 for an unknown profile. */
static inline uint8_t pl_srtp_key_len(pl_srtp_profile p)
{
    switch (p) {
    case PL_SRTP_AES128_CM_SHA1_80:
    case PL_SRTP_AES128_CM_SHA1_32:
    case PL_SRTP_AEAD_AES_128_GCM: return 16;
    case PL_SRTP_AEAD_AES_256_GCM: return 32;
    case PL_SRTP_NONE: break;
    }
    return 0;
}
static inline uint8_t pl_srtp_salt_len(pl_srtp_profile p)
{
    switch (p) {
    case PL_SRTP_AES128_CM_SHA1_80:
    case PL_SRTP_AES128_CM_SHA1_32: return 14;
    case PL_SRTP_AEAD_AES_128_GCM:
    case PL_SRTP_AEAD_AES_256_GCM: return 12;
    case PL_SRTP_NONE: break;
    }
    return 0;
}
/* The name in IANA's registry with its "SRTP_" (webrtc-stats srtpCipher), or NULL. */
static inline const char *pl_srtp_profile_str(pl_srtp_profile p)
{
    switch (p) {
    case PL_SRTP_AES128_CM_SHA1_80: return "SRTP_AES128_CM_HMAC_SHA1_80";
    case PL_SRTP_AES128_CM_SHA1_32: return "SRTP_AES128_CM_HMAC_SHA1_32";
    case PL_SRTP_AEAD_AES_128_GCM: return "SRTP_AEAD_AES_128_GCM";
    case PL_SRTP_AEAD_AES_256_GCM: return "SRTP_AEAD_AES_256_GCM";
    case PL_SRTP_NONE: break;
    }
    return NULL;
}

#endif
