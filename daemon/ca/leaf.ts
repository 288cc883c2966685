import { createHash, type KeyObject, sign } from 'node:crypto';
import { AsnConvert, AsnSerializer, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  type SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import { BitString, Sequence } from 'asn1js';
import type { Millis } from '../../proto/vocab/ids.ts';

/** Certificates begin a little in the past: clocks of nodes run late. */
export const SKEW_MS = 5 * 60_000;
export const ECDSA_WITH_SHA256 = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' });
const COMMON_NAME = '2.5.4.3';

export interface Issuer {
  readonly certificateDer: Uint8Array;
  /** P-256. */
  readonly key: KeyObject;
}

export interface LeafRequest {
  readonly publicKey: SubjectPublicKeyInfo;
  readonly commonName: string;
  readonly names: readonly { readonly type: 'url' | 'dns' | 'ip'; readonly value: string }[];
  readonly uses: 'server' | 'client-and-server';
  /** Hex. */
  readonly serial: string;
  readonly now: Millis;
  readonly ttlMs: number;
}

export interface Leaf {
  readonly der: Uint8Array;
  readonly notAfter: Millis;
}

/** Issues leaves. A fleet joins all at once: what all of them have in common is read and made once. */
export class LeafIssuer {
  /** That of its own certificate. */
  private readonly notAfter: Millis;
  private readonly key: KeyObject;
  private readonly name: Name;
  private readonly common: Record<LeafRequest['uses'], readonly Extension[]>;
  private readonly authority: Extension;

  constructor({ certificateDer, key }: Issuer) {
    const { tbsCertificate } = AsnConvert.parse(certificateDer, Certificate);
    this.notAfter = tbsCertificate.validity.notAfter.getTime().getTime();
    this.key = key;
    this.name = tbsCertificate.subject;
    const first = [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    ];
    this.common = {
      server: [...first, extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth]))],
      'client-and-server': [
        ...first,
        extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_clientAuth, id_kp_serverAuth])),
      ],
    };
    const keyIdentifier = new KeyIdentifier(keyId(tbsCertificate.subjectPublicKeyInfo));
    this.authority = extension(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier }));
  }

  /** A leaf never outlives its issuer. */
  issue(leaf: LeafRequest): Leaf {
    const notAfter = toSeconds(Math.min(leaf.now + leaf.ttlMs, this.notAfter));
    const tbs = AsnSerializer.toASN(
      new TBSCertificate({
        version: Version.v3,
        serialNumber: plain(Buffer.from(leaf.serial, 'hex')),
        signature: ECDSA_WITH_SHA256,
        issuer: this.name,
        validity: new Validity({
          notBefore: new Date(leaf.now - SKEW_MS),
          notAfter: new Date(notAfter),
        }),
        subject: named(leaf.commonName),
        subjectPublicKeyInfo: leaf.publicKey,
        extensions: new Extensions([
          ...this.common[leaf.uses],
          extension(id_ce_subjectAltName, new SubjectAlternativeName(leaf.names.map(generalName))),
          extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyId(leaf.publicKey))),
          this.authority,
        ]),
      }),
    );
    const signature = sign('sha256', new Uint8Array(tbs.toBER()), this.key);
    const certificate = new Sequence({
      value: [tbs, AsnSerializer.toASN(ECDSA_WITH_SHA256), new BitString({ valueHex: signature })],
    });
    return { der: new Uint8Array(certificate.toBER()), notAfter };
  }
}

/** A key's number, as RFC 5280 (4.2.1.2) makes it: SHA-1 of the key's bits, which nothing relies on but the search for an issuer. */
function keyId({ subjectPublicKey }: SubjectPublicKeyInfo): ArrayBuffer {
  return plain(createHash('sha1').update(new Uint8Array(subjectPublicKey)).digest());
}

function extension(extnID: string, value: unknown, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function named(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

function generalName({ type, value }: LeafRequest['names'][number]): GeneralName {
  switch (type) {
    case 'url':
      return new GeneralName({ uniformResourceIdentifier: value });
    case 'dns':
      return new GeneralName({ dNSName: value });
    case 'ip':
      return new GeneralName({ iPAddress: value });
  }
}

function plain(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** As a certificate has it. */
function toSeconds(ms: Millis): Millis {
  return ms - (ms % 1000);
}
